import pytest

from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.data.versions import keep, restore_csv
from loan_approval.errors import DataError
from tests.loan_approval.data.conftest import ONE, TWO, Project


def test_a_remote_that_holds_other_bytes_than_it_says_is_not_believed(project: Project) -> None:
    project.push(ONE).write_bytes(TWO)
    with pytest.raises(DataError, match=r"remote 'beside': the object .* holds other bytes"):
        restore_csv(project.csv)
    assert not project.csv.exists()


def test_a_remote_that_cannot_be_asked_is_named(project: Project) -> None:
    project.push(ONE).unlink()
    project.push(TWO).parents[1].joinpath(md5_of_bytes(ONE)[:2], md5_of_bytes(ONE)[2:]).mkdir()
    with pytest.raises(DataError, match="DVC's remote 'beside' can't be read: IsADirectoryError"):
        restore_csv(project.csv)


def test_a_cache_that_is_set_elsewhere_is_used(project: Project) -> None:
    elsewhere = project.root.parent / "cache"
    (project.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {elsewhere}\n")
    project.csv.write_bytes(ONE)
    keep(project.csv)
    assert [path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()] == [ONE]
    project.csv.unlink()
    assert restore_csv(project.csv) == "taken from DVC's cache, as dvc.lock says"


def test_an_object_of_the_cache_that_was_edited_in_place_is_not_taken(project: Project) -> None:
    project.csv.write_bytes(ONE)
    keep(project.csv)
    project.csv.unlink()
    (kept,) = (path for path in (project.root / ".dvc/cache").rglob("*") if path.is_file())
    kept.chmod(0o644)
    kept.write_bytes(TWO)
    with pytest.raises(DataError, match="not there"):
        restore_csv(project.csv)
