"""Every factory's version is made again to the byte, by another process with another hash seed."""

import os

import pytest

from loan_approval.training.factory import ModelFactory, factory_names
from tests.end_to_end.test_reproduce import Project, make_project

pytestmark = pytest.mark.hard


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        yield make_project(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_every_factorys_version_is_made_again_to_the_byte(project: Project, model_name: str) -> None:
    project.train(model_name, PYTHONHASHSEED="1")
    run = project.run("reproduce", "challenger", PYTHONHASHSEED="2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("the same bytes\n")


def test_data_that_was_changed_since_is_refused_by_its_hash(project: Project) -> None:
    project.train("logistic_regression")
    csv = project.root / "data/loans/dataset.csv"
    whole = csv.read_bytes()
    try:
        csv.write_bytes(whole.replace(b"\n", b"\r\n"))
        run = project.run("reproduce", "challenger")
    finally:
        csv.write_bytes(whole)
    assert run.returncode == 1
    # A built-in data set is then made by that commit's own code, which makes another one than was trained on here.
    assert run.stderr.startswith("RebuildError: data: not found, expected a dataset.csv with sha256 ")
    assert project.git("worktree", "list").count("\n") == 1


def test_a_version_made_with_uncommitted_code_says_that_it_cannot_be(project: Project) -> None:
    (project.root / "src/loan_approval/new.py").write_text("")
    try:
        project.train("logistic_regression")
        run = project.run("reproduce", "challenger")
    finally:
        (project.root / "src/loan_approval/new.py").unlink()
    assert run.returncode == 1
    assert run.stderr.startswith("RebuildError: changes: it was made with code that is in no commit")
