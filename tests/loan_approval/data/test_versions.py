"""Which CSV is left, replaced, made, fetched or refused, with DVC's own cache and remote in a folder."""

from pathlib import Path

import pytest
import yaml

from loan_approval.data import dvc_objects
from loan_approval.data.datasets import load_dataset, restore_dataset
from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.data.versions import Record, check_generator, keep, read_record, restore_csv
from loan_approval.errors import DataError
from tests.loan_approval.data.conftest import ONE, ROOT, TWO, Project, writer


def fail(_: Path) -> None:
    pytest.fail("nothing is made here")


def test_a_csv_that_is_what_the_record_says_is_left_and_dvc_not_loaded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dvc_objects, "_open_repo", None)
    project.csv.write_bytes(ONE)
    assert restore_csv(project.csv, fail) == "is what dvc.lock says"


def test_a_missing_csv_is_made_and_dvc_not_loaded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_objects, "_open_repo", None)
    assert restore_csv(project.csv, writer(ONE)) == "made, as dvc.lock says"
    assert project.csv.read_bytes() == ONE


def test_a_generator_that_makes_other_bytes_is_refused_and_nothing_is_left(project: Project) -> None:
    lock = (project.root / "dvc.lock").read_bytes()
    with pytest.raises(DataError, match=f"makes md5 {md5_of_bytes(TWO)} here, expected {md5_of_bytes(ONE)}") as refused:
        restore_csv(project.csv, writer(TWO))
    assert "`dvc repro loans`, and commit dvc.lock with the code" in str(refused.value)
    assert list(project.csv.parent.iterdir()) == []
    assert (project.root / "dvc.lock").read_bytes() == lock


def test_a_changed_generator_is_caught_though_the_right_csv_is_there(project: Project) -> None:
    project.csv.write_bytes(ONE)
    check_generator(project.csv, writer(ONE))
    with pytest.raises(DataError, match="makes md5"):
        check_generator(project.csv, writer(TWO))
    assert project.csv.read_bytes() == ONE


@pytest.mark.parametrize("replace", [False, True])
def test_an_edited_csv_is_never_overwritten(project: Project, replace: bool) -> None:
    project.csv.write_bytes(TWO)
    expected = (
        f"data/loans/dataset.csv: md5 {md5_of_bytes(TWO)}, expected {md5_of_bytes(ONE)} .dvc.lock.: it was edited"
    )
    with pytest.raises(DataError, match=expected):
        restore_csv(project.csv, writer(ONE), replace)
    assert project.csv.read_bytes() == TWO


def test_an_edited_csv_may_be_looked_at(project: Project) -> None:
    project.csv.write_bytes(TWO)
    assert restore_csv(project.csv, writer(ONE), keep_edits=True) == "is not what dvc.lock says"
    assert project.csv.read_bytes() == TWO


def test_another_version_that_dvc_keeps_is_replaced_where_that_is_asked_for(project: Project) -> None:
    project.csv.write_bytes(TWO)
    keep(project.csv)
    with pytest.raises(DataError, match="`make data DATASET=loans`"):
        restore_csv(project.csv, writer(ONE))
    assert restore_csv(project.csv, writer(ONE), replace=True).endswith(
        f"md5 {md5_of_bytes(TWO)} stood here, and is kept"
    )
    assert project.csv.read_bytes() == ONE


def test_another_version_that_an_earlier_commit_makes_is_replaced(project: Project) -> None:
    project.git("init", "--quiet")
    for data in (TWO, ONE):
        project.record(data)
        project.git("add", ".")
        project.git("commit", "--quiet", "-m", "data")
    project.csv.write_bytes(TWO)
    restore_csv(project.csv, writer(ONE), replace=True)
    assert project.csv.read_bytes() == ONE


def test_data_without_a_generator_comes_from_the_remote_and_without_git(project: Project) -> None:
    project.push(ONE)
    assert restore_csv(project.csv) == "taken from DVC's remote, as dvc.lock says"
    assert project.csv.read_bytes() == ONE


def test_data_that_nobody_has_is_named_by_its_md5(project: Project) -> None:
    expected = f"data/loans/dataset.csv: not there, and neither DVC's cache nor its remote .* holds {md5_of_bytes(ONE)}"
    with pytest.raises(DataError, match=expected):
        restore_csv(project.csv)


def test_without_a_remote_it_is_the_same(project: Project) -> None:
    (project.root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    with pytest.raises(DataError, match="not there, and neither"):
        restore_csv(project.csv)


def test_a_record_beside_the_csv_is_read(project: Project) -> None:
    csv = project.root / "data/mine/dataset.csv"
    csv.parent.mkdir()
    assert read_record(csv) is None
    csv.with_name("dataset.csv.dvc").write_text(f"outs: [{{md5: {md5_of_bytes(ONE)}, path: dataset.csv}}]")
    assert read_record(csv) == Record(md5_of_bytes(ONE), "data/mine/dataset.csv.dvc")


def test_a_csv_outside_the_project_has_no_record(project: Project, tmp_path: Path) -> None:
    assert read_record(tmp_path / "dataset.csv") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: [", "dvc.lock: not what `dvc` writes, expected its YAML: while parsing"),
        ("- a", "dvc.lock: not what `dvc` writes"),
        ("stages: {loans: {outs: 7}}", "dvc.lock: not what `dvc` writes"),
        ("stages: {loans: {outs: [7]}}", "dvc.lock: not what `dvc` writes"),
        ("stages: 7", "dvc.lock: not what `dvc` writes"),
        ("\x00", "dvc.lock: not what `dvc` writes"),
        ("stages: {loans: {outs: [{path: data/loans/dataset.csv}]}}", "dvc.lock: data/loans/dataset.csv has no md5"),
        ("stages: {a: {outs: [{path: data/loans/dataset.csv, md5: ../../x}]}}", "dvc.lock: .* has no md5"),
    ],
)
def test_a_broken_record_is_named(project: Project, text: str, said: str) -> None:
    (project.root / "dvc.lock").write_text(text)
    with pytest.raises(DataError, match=said):
        restore_csv(project.csv, fail)


def test_without_a_record_a_built_in_set_is_made_and_another_is_left(project: Project) -> None:
    (project.root / "dvc.lock").unlink()
    assert restore_csv(project.csv, writer(TWO)) == "made; no version of it is recorded"
    assert restore_csv(project.csv) == "no version of it is recorded"
    assert project.csv.read_bytes() == TWO


def test_a_data_set_that_is_nowhere_is_refused(project: Project) -> None:
    (project.root / "data/mine").mkdir()
    (project.root / "data/mine/contract.toml").write_text("")
    with pytest.raises(DataError, match=r"dataset\.csv: not there, and no version of it is recorded"):
        restore_dataset("mine")


def test_training_data_are_those_of_the_record(project: Project, loans_csv: Path) -> None:
    data = loans_csv.read_bytes()
    project.csv.with_name("contract.toml").write_bytes((ROOT / "data/loans/contract.toml").read_bytes())
    project.record(data)
    project.csv.write_bytes(data)
    assert load_dataset("loans").md5 == md5_of_bytes(data)
    project.csv.write_bytes(data + b"\n")
    with pytest.raises(DataError, match="it was edited"):
        load_dataset("loans")
    assert len(load_dataset("loans", draft=True).y) == 1500


@pytest.mark.parametrize("stage", ["loans", "boston"])
def test_the_lock_knows_the_code_that_makes_the_built_in_data_as_it_stands(stage: str) -> None:
    """Else `dvc repro` of an untouched clone would change the lock. After a change of that code: `dvc repro`."""
    (code,) = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"][stage]["deps"]
    assert (ROOT / code["path"]).stat().st_size == code["size"]
    assert md5_of_bytes((ROOT / code["path"]).read_bytes()) == code["md5"]
