"""The files of the prediction log that the server writes, and their lines.

<log>/decisions/<YYYY-MM-DD>/<writer>-<NNNNNN>.jsonl    one line for each decision, in the folder of its UTC day
<log>/shadow/<YYYY-MM-DD>/<writer>-<NNNNNN>.jsonl       one line for each score by a challenger
<log>/refusals/<YYYY-MM-DD>/<writer>.jsonl              one line for each minute, field and kind of fault: a count
<log>/reviews.jsonl                                     one line for each review
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loan_approval.errors import LogError
from loan_approval.project import ROOT
from serve import strict_json
from serve.errors import JSONError

DECISIONS, REFUSALS, SHADOW, REVIEWS = "decisions", "refusals", "shadow", "reviews.jsonl"


def day_files(folder: Path, first: str = "", last: str = "9999") -> Iterator[Path]:
    """Yield the files of the days first to last (YYYY-MM-DD), in order; other names are ignored."""
    for day in sorted(folder.glob("????-??-??")):
        if first <= day.name <= last:
            yield from sorted(day.glob("*.jsonl"))


def split_lines(path: Path) -> tuple[list[bytes], bytes]:
    """Return the lines of a file, without their newlines, and its torn last line, or b"". A missing file has no lines.

    A last line that lacks only its newline is whole: the decision was made. Raises LogError.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:  # the file may have been removed since its folder was listed
        return [], b""
    except OSError as err:
        raise LogError(f"{path}: can't be read: {err.strerror}") from err
    return ([*lines, rest], b"") if rest and parse_line(rest) is not None else (lines, rest)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line, or None if the line is broken."""
    try:
        document = strict_json.loads(line)
    except JSONError:
        return None
    return document if isinstance(document, dict) else None


def decision_id_of(line: bytes) -> str | None:
    """Return the decision id in a line, or None if the line is broken."""
    return (parse_line(line) or {}).get("decision_id")


def prediction_log_folder(model_name: str) -> Path:
    """Return the folder of a model's prediction log: `SERVE_PREDICTION_LOG`, or the one that `make serve` uses."""
    return Path(os.environ.get("SERVE_PREDICTION_LOG") or ROOT / "predictions" / model_name)


def require_log(folder: Path) -> None:
    """Raise LogError where there is no such folder."""
    if not folder.is_dir():
        raise LogError(f"{folder}: not there, expected the folder of a prediction log (SERVE_PREDICTION_LOG)")
