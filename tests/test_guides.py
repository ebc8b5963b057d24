"""Each command of a tutorial or a how-to guide is run by a test."""

import ast
import re

from tests.pages import HAND_WRITTEN, ROOT, commands, read

COMMAND = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:make|python|loan-approval|papermill|dvc|git|openssl|docker|spark-submit)(?= )"
)
# Commands that need what a clone has not (an engine, a browser, a terminal), or take too long beside the others: the
# test that runs them, or what they run.
ELSEWHERE = {
    "make setup": "tests/hard/test_guides.py::clone",  # made the environment that all tests run in
    "make lab": "tests/end_to_end/test_lab.py::test_jupyterlab_opens_where_one_starts",
    "python -m loan_approval monitor": "tests/end_to_end/test_monitor.py",
    "make mlflow": "tests/loan_approval/commands/test_production.py",
    "make sweep DATASET=boston": "tests/hard/test_sweep.py::test_a_rerun_runs_nothing_and_one_more_value",
    "make image": "tests/hard/test_image.py::image",
    "make stack": "tests/hard/test_stack.py::test_the_line_runs_and_a_server_on_another_machine_follows",
    "make test": ".ci/run",
    "make test-hard": "tests/hard",
    "make test-image": "tests/hard/test_image.py",
    "make soak MINUTES=10": "tests/soak.py",
    "docker build -t loan-approval-api:latest .": "tests/hard/test_image.py::image",
    'docker run -p 8000:8000 -v "$PWD/store/loan_approval_model:/store:ro" loan-approval-api:latest':
        "tests/hard/test_image.py::test_a_hardened_container_answers_and_ends_with_zero",
    "docker run -p 8000:8000 -e MLFLOW_TRACKING_URI=http://host.docker.internal:5000 loan-approval-api:latest":
        "tests/hard/test_image.py::test_a_model_behind_an_alias_is_fetched",
    "docker build -t loan-approval-api:baked --build-arg MODEL=store/loan_approval_model .":
        "tests/hard/test_image.py::test_a_model_baked_in_answers_without_a_volume_and_nothing_else_is_in_it",
    "loan-approval report notebooks/02_train.ipynb": "tests/loan_approval/notebooks/test_by_hand.py",
}  # fmt: skip


def guide_commands() -> set[str]:
    pages = [page for page in HAND_WRITTEN if page.parent.name in ("tutorials", "how-to")]
    assert len(pages) >= 15
    found = {command for page in pages for command in commands(read(page))}
    return {command for command in found if COMMAND.match(command)}


def run_commands() -> set[str]:
    tree = ast.parse(read("tests/hard/test_guides.py"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_each_command_of_a_guide_is_run() -> None:
    run = run_commands()
    lost = {each for each in guide_commands() - ELSEWHERE.keys() if not any(one.startswith(each) for one in run)}
    assert lost == set()


def test_what_runs_a_command_elsewhere_is_there_and_the_command_still_stands_in_a_guide() -> None:
    for command, test in ELSEWHERE.items():
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), command
        assert name in (read(path) if name else ""), command
    assert ELSEWHERE.keys() - guide_commands() == set()
