"""The recorded version of a data set's CSV: the MD5 in `dvc.lock` or `dataset.csv.dvc`, and how it is restored.

Reading the record and hashing the CSV takes milliseconds; DVC itself is loaded only to look for missing bytes.
"""

import re
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from loan_approval.data import dvc_objects
from loan_approval.errors import DataError
from loan_approval.project import ROOT, git
from serve.files import write_atomically

LOCK = "dvc.lock"
Generator = Callable[[Path], None]


@dataclass(frozen=True)
class Record:
    """The MD5 that DVC's files record for a CSV, and the file that records it, relative to the project."""

    md5: str
    file: str


def read_record(csv: Path, root: Path | None = None) -> Record | None:
    """Return what DVC's files record for a CSV, None when they don't; root: of its project, this one by default.

    Raises DataError when a file of DVC can't be read.
    """
    root = root or ROOT
    beside, lock = csv.with_name(f"{csv.name}.dvc"), root / LOCK
    if beside.is_file():
        return _find_out(beside, csv.name)
    if lock.is_file() and csv.is_relative_to(root):
        return _find_out(lock, csv.relative_to(root).as_posix())
    return None


def restore_csv(csv: Path, generator: Generator | None = None, replace: bool = False, keep_edits: bool = False) -> str:
    """Restore the recorded version of a CSV from DVC or by its generator; return in words what was done.

    generator: writes the CSV of a built-in data set.   keep_edits: leave a CSV that differs from the record.
    replace: overwrite a CSV that differs from the record, if DVC or git's history can bring it back.
    Raises DataError when a CSV that differs would be lost, or when the recorded bytes can't be found.
    """
    record = read_record(csv)
    if record is None:
        if csv.exists():
            return "no version of it is recorded"
        if generator is None:
            return "not there, and no version of it is recorded"
        generator(csv)
        return "made; no version of it is recorded"
    present = dvc_objects.md5_of_bytes(csv.read_bytes()) if csv.is_file() else None
    if present == record.md5:
        return f"is what {record.file} says"
    if present and keep_edits:
        return f"is not what {record.file} says"
    if present and not (replace and _can_be_restored(present, generator)):
        raise DataError(_describe_edit(csv, present, record, generator, replace))
    data, source = _obtain(csv, record, generator)
    write_atomically(csv, data)
    return f"{source}, as {record.file} says" + (f"; md5 {present} stood here, and is kept" if present else "")


def check_generator(csv: Path, generator: Generator) -> None:
    """Raise DataError when a generator writes other bytes than recorded, even if the CSV is the recorded one."""
    record = read_record(csv)
    if record is not None:
        _generate(csv, record, generator)


def keep(csv: Path) -> None:
    """Put a CSV that has a recorded version into DVC's cache, from which `dvc push` uploads it."""
    if read_record(csv) is not None:
        dvc_objects.keep(csv.read_bytes())


def _obtain(csv: Path, record: Record, generator: Generator | None) -> tuple[bytes, str]:
    """Return the recorded bytes and where they came from; a generator is quicker than loading DVC."""
    if (data := dvc_objects.from_default_cache(record.md5)) is None and generator is not None:
        return _generate(csv, record, generator), "made"
    if data is not None or (data := dvc_objects.from_cache(record.md5)) is not None:
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
    if (md5 := dvc_objects.md5_of_bytes(data)) != record.md5:
        name, code = csv.parent.name, f"src/{generator.__module__.replace('.', '/')}.py"
        raise DataError(
            f"{_shown(csv)}: {code} makes md5 {md5} here, expected {record.md5} ({record.file}).\n"
            f"  If that is meant: `dvc repro {name}`, and commit {record.file} with the code.\n"
            f"  If not: `git diff {code}`, and `make setup` for the packages of locks/dev.txt."
        )
    return data


def _can_be_restored(md5: str, generator: Generator | None) -> bool:
    """Return whether DVC holds bytes, or some commit's `dvc.lock` records them as what the generator wrote."""
    in_cache = dvc_objects.from_cache(md5) is not None
    if in_cache or (generator is not None and git("log", "--all", "-1", "--format=%H", f"-S{md5}", "--", LOCK)):
        return True
    return dvc_objects.from_remote(md5) is not None


def _describe_edit(csv: Path, present: str, record: Record, generator: Generator | None, replace: bool) -> str:
    name, folder = _shown(csv), csv.parent.name
    keep = f"`dvc add {shlex.quote(name)}`, and commit {name}.dvc"
    if generator is not None:
        keep = "make it a data set of your own (`python -m loan_approval init`): this one follows from code"
    away = "move it away and " if replace else ""
    return (
        f"{name}: md5 {present}, expected {record.md5} ({record.file}): it was edited, or is another commit's.\n"
        f"  To keep it: {keep}.\n"
        f"  To go back: {away}`make data DATASET={shlex.quote(folder)}`."
    )


def _find_out(file: Path, path: str) -> Record | None:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        stages = (document.get("stages") or {}).values() if file.name == LOCK else [document]
        md5s = {out.get("path"): out.get("md5") for stage in stages for out in stage.get("outs") or []}
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as err:
        why = " ".join(str(err).split())
        raise DataError(f"{_shown(file)}: not what `dvc` writes, expected its YAML: {why}") from err
    if path not in md5s:
        return None
    if not isinstance(md5s[path], str) or not re.fullmatch("[0-9a-f]{32}", md5s[path]):
        raise DataError(f"{_shown(file)}: {path} has no md5 of a file, expected what `dvc` writes")
    return Record(md5s[path], _shown(file))


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
