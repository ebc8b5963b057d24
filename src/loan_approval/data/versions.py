"""Which bytes a data set's CSV has: what `dvc.lock` or `dataset.csv.dvc` says, brought into place, nothing lost by it.

Reading the record and hashing the CSV takes milliseconds; DVC itself is loaded only to look for bytes that are missing.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loan_approval.data import dvc_objects
from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.errors import DataError
from loan_approval.project import ROOT
from serve.files import write_atomically

LOCK = "dvc.lock"
Generator = Callable[[Path], None]


@dataclass(frozen=True)
class Record:
    """What DVC's files say of a CSV: its md5, and the file that says so, from the project's root."""

    md5: str
    file: str


def read_record(csv: Path, root: Path | None = None) -> Record | None:
    """Return what DVC's files say of a CSV, None when they don't; `root` is its project's, this one by default.

    Raises DataError on a file of DVC's that can't be read.
    """
    root = root or ROOT
    beside, lock = csv.with_name(f"{csv.name}.dvc"), root / LOCK
    if beside.is_file():
        return _find_out(beside, csv.name)
    if lock.is_file() and csv.is_relative_to(root):
        return _find_out(lock, csv.relative_to(root).as_posix())
    return None


def restore_csv(csv: Path, generator: Generator | None = None, replace: bool = False, keep_edits: bool = False) -> str:
    """Have a CSV be what DVC's files say; return in words what was done for that.

    generator: writes the CSV, for a data set that follows from code.   keep_edits: an edited CSV will do.
    replace: another version that DVC or the history keeps is replaced; one that only stands here never is.
    Raises DataError when the CSV is another and stays, and when the recorded bytes are not to be had.
    """
    record = read_record(csv)
    if record is None:
        return _settle_unversioned(csv, generator)
    found = md5_of_bytes(csv.read_bytes()) if csv.is_file() else None
    if found == record.md5:
        return f"is what {record.file} says"
    if found and keep_edits:
        return f"is not what {record.file} says"
    if found and not (replace and _is_kept(found, generator)):
        raise DataError(_describe_edit(csv, found, record, generator, replace))
    data, source = _obtain(csv, record, generator)
    write_atomically(csv, data)
    return f"{source}, as {record.file} says" + (f"; md5 {found} stood here, and is kept" if found else "")


def check_generator(csv: Path, generator: Generator) -> None:
    """Raise DataError when a generator no longer makes what DVC's files say, whatever stands in the CSV's place."""
    record = read_record(csv)
    if record is not None:
        _generate(csv, record, generator)


def keep(csv: Path) -> None:
    """Put a CSV of which a version is recorded into DVC's cache, so that `dvc push` takes it along."""
    if read_record(csv) is not None:
        dvc_objects.keep(csv.read_bytes())


def _settle_unversioned(csv: Path, generator: Generator | None) -> str:
    if not csv.exists() and generator is not None:
        generator(csv)
        return "made; no version of it is recorded"
    return "no version of it is recorded" if csv.exists() else "not there, and no version of it is recorded"


def _obtain(csv: Path, record: Record, generator: Generator | None) -> tuple[bytes, str]:
    data = dvc_objects.from_default_cache(record.md5)
    if data is not None:
        return data, "taken from DVC's cache"
    if generator is not None:
        return _generate(csv, record, generator), "made"
    if (data := dvc_objects.from_cache(record.md5)) is not None:
        return data, "taken from DVC's cache"
    if (data := dvc_objects.from_remote(record.md5)) is not None:
        return data, "taken from DVC's remote"
    nowhere = f"and neither DVC's cache nor its remote (`dvc remote list`) holds {record.md5} ({record.file})"
    raise DataError(f"{_shown(csv)}: not there, {nowhere}")


def _generate(csv: Path, record: Record, generator: Generator) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, csv.name)
        generator(made)
        data = made.read_bytes()
    if (found := md5_of_bytes(data)) != record.md5:
        name, code = csv.parent.name, f"src/{generator.__module__.replace('.', '/')}.py"
        raise DataError(
            f"{_shown(csv)}: {code} makes md5 {found} here, expected {record.md5} ({record.file}).\n"
            f"  If that is meant: `dvc repro {name}`, and commit {record.file} with the code.\n"
            f"  If not: `git diff {code}`, and `make setup` for the packages of locks/dev.txt."
        )
    return data


def _is_kept(md5: str, generator: Generator | None) -> bool:
    """Whether bytes can be had again: from DVC, or from a generator at a commit whose `dvc.lock` named them,
    on whatever branch and before or after the one that is checked out.
    """
    if dvc_objects.from_cache(md5) is not None:
        return True
    if generator is not None and _in_history(md5):
        return True
    return dvc_objects.from_remote(md5) is not None


def _in_history(md5: str) -> bool:
    try:
        command = ["git", "log", "--all", "-1", "--format=%H", f"-S{md5}", "--", LOCK]
        return bool(subprocess.run(command, cwd=ROOT, capture_output=True, check=False).stdout.strip())
    except FileNotFoundError:
        return False


def _describe_edit(csv: Path, found: str, record: Record, generator: Generator | None, replace: bool) -> str:
    name, folder = _shown(csv), csv.parent.name
    keep = f"`dvc add {name}`, and commit {name}.dvc"
    if generator is not None:
        keep = "make it a data set of your own (`python -m loan_approval init`): this one follows from code"
    away = "move it away and " if replace else ""
    return (
        f"{name}: md5 {found}, expected {record.md5} ({record.file}): it was edited, or is another commit's.\n"
        f"  To keep it: {keep}.\n"
        f"  To go back: {away}`make data DATASET={folder}`."
    )


def _find_out(file: Path, path: str) -> Record | None:
    for out in _read_outs(file):
        if out.get("path") == path:
            md5 = out.get("md5")
            if not isinstance(md5, str) or not re.fullmatch("[0-9a-f]{32}", md5):
                raise DataError(f"{_shown(file)}: {path} has no md5 of a file, expected what `dvc` writes")
            return Record(md5, _shown(file))
    return None


def _read_outs(file: Path) -> list[dict[str, Any]]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        holders = (document.get("stages") or {}).values() if file.name == LOCK else [document]
        return [dict(out) for holder in holders for out in holder.get("outs") or []]
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as err:
        why = " ".join(str(err).split())
        raise DataError(f"{_shown(file)}: not what `dvc` writes, expected its YAML: {why}") from err


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
