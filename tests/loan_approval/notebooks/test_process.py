"""A notebook runs from any working directory, and is ended with all that it started."""

from pathlib import Path

import pytest

from loan_approval.errors import NotebookTimeoutError
from loan_approval.notebooks.process import execute
from loan_approval.notebooks.run import run_notebook
from tests.notebook_runs import DEADLINE, is_running, write_hanging_notebook, write_notebook


def test_past_the_time_limit_the_kernel_and_what_it_started_are_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    notebook = write_hanging_notebook(tmp_path / "03_hangs.ipynb", pids)

    for limit in (6, 12, 24, 48, 96):  # on a busy machine a kernel may take longer to start
        with pytest.raises(NotebookTimeoutError) as caught:
            run_notebook(notebook, {}, tmp_path / "reports", time_limit=limit, report_name="hangs")
        if pids.exists():
            break

    assert f"03_hangs.ipynb, cell 3 of 3: ended after {limit} s" in str(caught.value)
    assert [pid for pid in map(int, pids.read_text().split()) if is_running(pid)] == []
    assert (tmp_path / "reports" / "hangs.html").is_file()


def test_a_notebook_that_fails_elsewhere_gives_papermills_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = write_notebook(tmp_path / "02_fails.ipynb", "seed = 1", "raise ValueError('no rows')")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)

    assert execute(notebook, {}, tmp_path / "work/executed/02_fails.ipynb", DEADLINE, {}, False) == 1
    assert "no rows" in (tmp_path / "work/executed/02_fails.ipynb").read_text()
