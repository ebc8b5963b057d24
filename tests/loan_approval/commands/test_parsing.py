"""Options that several commands have."""

import argparse

import pytest

from loan_approval import cli
from loan_approval.commands.parsing import positive, set_options


@pytest.mark.parametrize("command", ["train", "validate", "sweep", "monitor", "reproduce 1", "retain --days 3"])
def test_a_time_limit_that_is_no_positive_number_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("0", "-5", "nan", "inf", "soon"):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command.split(), f"--time-limit={text}"])
        assert ended.value.code == 2
        assert f"'{text}': expected a number above 0" in capsys.readouterr().err


def test_a_positive_number_may_be_a_fraction() -> None:
    assert positive("0.5") == 0.5


def test_only_options_that_are_there_and_set_are_returned() -> None:
    options = argparse.Namespace(dataset="loans", version=None, log="")
    assert set_options(options, "dataset", "version", "log", "begin") == {"dataset": "loans", "log": ""}
