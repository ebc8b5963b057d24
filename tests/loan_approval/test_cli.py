"""The command line: with which exit status it ends, and what it says then."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from loan_approval import cli
from loan_approval.data.folders import dataset_folder, load_contract
from loan_approval.project import ROOT
from loan_approval.registry import history, tracking
from serve import __version__

HEAVY = {"pandas", "sklearn", "mlflow", "matplotlib", "papermill", "nbconvert"}
RUN = f"""
import sys
from loan_approval.cli import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *({HEAVY} & set(sys.modules)))
"""


def test_an_error_of_the_project_is_one_line_and_status_one(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["init", str(tmp_path / "mine"), str(tmp_path / "nothing.csv"), "--target", "y"])
    assert stopped.value.code.startswith("DataError: ")
    assert "\n" not in stopped.value.code


def test_a_failing_mlflow_server_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException

    def fail(name: str) -> list[dict[str, str]]:
        raise MlflowException("no such experiment")

    monkeypatch.setattr(history, "read", fail)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["history"])
    assert stopped.value.code.startswith("TrackingError: MLflow at http://127.0.0.1:9: no such experiment")


def test_a_wrong_call_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["promote", "--versoin", "3"])
    assert stopped.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


def test_a_command_that_is_interrupted_says_so_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("loan_approval.data.simulate.write_simulation", interrupt)
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", str(tmp_path / "new.csv")])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def run_and_list_imports(*arguments: str) -> tuple[int, str, set[str]]:
    """Run a command in a process of its own; return its exit code, what it said, and what it loaded of `HEAVY`."""
    run = subprocess.run([sys.executable, "-c", RUN, *arguments], cwd=ROOT, input="", capture_output=True, text=True)
    said, _, loaded = run.stdout.rpartition("loaded:")
    return run.returncode, said + run.stderr, set(loaded.split())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("--help", 0, "Exit codes: 0 done"),
        ("--version", 0, f"loan-approval {__version__}"),
        ("train --help", 0, "--model-name"),
        ("nothing", 2, "invalid choice"),
        ("promote --versoin 3", 2, "unrecognized arguments"),
        ("retain --days many", 2, "invalid int value"),
        ("train -p nothing=3", 1, "no parameter 'nothing'"),
        ("validate -p seed=many", 1, "seed"),
        ("check-data -p nothing=3", 1, "no parameter 'nothing'"),
        *((f"{command} --dataset nothing", 1, "no data set 'nothing'") for command in ("train", "promote", "rollback")),
        *((f"{command} --dataset nothing", 1, "no data set 'nothing'") for command in ("history", "run", "serve")),
        *((f"{command} --dataset nothing", 1, "no data set 'nothing'") for command in ("explore", "shadow", "sweep")),
        ("score in.csv out --dataset nothing", 1, "no data set 'nothing'"),
        ("data --dataset nothing", 1, "no data set 'nothing'"),
        ("init mine no.csv --target y", 1, "no.csv: no such file"),
        ("score no.csv out --model no.onnx", 1, "no.onnx: expected a model file"),
        ("check-data --csv no.csv", 1, "no.csv: no such file"),
        ("check-data --reference no.csv", 1, "no.csv: no such file"),
        ("monitor --outcomes no.csv", 1, "no.csv: no such file"),
        ("sweep --plan no.toml", 1, "no.toml: no such file"),
        ("retain --days 3 --log no-log", 1, "no-log: not there, expected the folder of a prediction log"),
        ("erase --log no-log", 1, "no-log"),
        ("replay 7 --log no-log", 1, "no-log: no decision '7'"),
        ("review 7 --log no-log --outcome approve --reason r", 1, "no-log"),
        ("monitor --log no-log", 1, "no-log: not there, expected the folder of a prediction log"),
    ],
)  # fmt: skip
def test_help_a_wrong_call_and_a_missing_file_load_none_of_the_large_libraries(
    arguments: str, status: int, words: str
) -> None:
    code, said, loaded = run_and_list_imports(*arguments.split())
    assert words in said
    assert (code, loaded) == (status, set())


def test_an_empty_history_needs_no_mlflow_and_makes_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    assert run_and_list_imports("history") == (0, "", set())
    assert not database.exists()


def test_a_history_is_read_without_mlflow(mlflow_folder: Path) -> None:
    name = load_contract(dataset_folder("loans")).model_name
    with suppress(MlflowException):  # another test of the session may have registered it
        tracking.connect().create_registered_model(name)
    for version in "12":
        history.append(name, history.stamp({"event": "promote", "version": version}))
    code, said, loaded = run_and_list_imports("history", "--json")
    assert (code, loaded) == (0, set())
    assert [json.loads(line)["version"] for line in said.splitlines()][-2:] == ["1", "2"]


def test_the_installed_command_is_this_program() -> None:
    command = Path(sys.executable).with_name("loan-approval")
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    assert told == f"loan-approval {__version__}\n"


def test_bash_completes_the_options_of_a_command() -> None:
    command = Path(sys.executable).with_name("loan-approval")
    script = subprocess.run([command, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    ask = """
    COMP_WORDS=(loan-approval history --js); COMP_CWORD=2; COMP_LINE="${COMP_WORDS[*]}"
    ${3:-_shtab_loan_approval} loan-approval --js history; echo "${COMPREPLY[@]}"
    """
    assert subprocess.run(["bash", "-c", script + ask], capture_output=True, text=True).stdout.split() == ["--json"]
