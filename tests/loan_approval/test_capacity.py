"""The capacity page: its arithmetic, and that its table is what the command prints."""

from pathlib import Path

import pytest

from loan_approval import cli
from loan_approval.capacity import Figures, batch_load, describe, serve_load

PAGE = Path(__file__).parents[2] / "docs/capacity.md"
FIGURES = Figures(requests_a_core=10_000, rows_a_core=1_000_000, busy=0.5, cores_a_machine=8)


def test_cores_follow_from_what_one_core_does_and_how_busy_it_may_be() -> None:
    need = serve_load(100_000, FIGURES)
    assert (need.cores, need.machines) == (20, 3)
    assert need.memory_gb == pytest.approx(20 * FIGURES.worker_mb / 1000)


def test_a_small_load_still_has_a_second_machine() -> None:
    need = serve_load(10, FIGURES)
    assert (need.cores, need.machines) == (2, 2)


def test_the_log_of_a_day_is_a_line_for_each_request() -> None:
    assert serve_load(1000, FIGURES).log_gb_day == pytest.approx(1000 * FIGURES.log_bytes * 86_400 / 1e9)


def test_a_night_is_shared_out_over_its_hours() -> None:
    need = batch_load(14.4e9, FIGURES)  # 500,000 a second
    assert need.cores == 1
    assert batch_load(14.5e9, FIGURES).cores == 2


def test_figures_can_be_replaced_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["capacity", "--requests-a-core", "1000", "--busy", "1"])
    assert "| 100,000 requests a second | 100 | 13 |" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0", "-1", "many", "inf", "nan"])
def test_a_figure_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["capacity", "--busy", text])
    assert "expected a number above 0" in capsys.readouterr().err


def test_the_page_shows_what_the_command_prints() -> None:
    assert describe(Figures()) in PAGE.read_text()
