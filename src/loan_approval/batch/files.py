"""A batch's files on a local disk or S3: listing, reading, and writing whole files.

An address is a local path or `s3://bucket/key`; AWS_ENDPOINT_URL names an S3 other than Amazon's.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from loan_approval.data.reading import PARQUET
from loan_approval.errors import BatchError
from serve.files import write_atomically

S3 = "s3://"
TEXT_OR_EXCEL = (".csv", ".tsv", ".txt", ".data", ".dat", ".arff", ".xlsx", ".xlsm", ".xls")  # what `init` reads
_MARKS = ("_", ".")  # how the names of other programs' marker files begin
S3_SECONDS = 20  # for a connection to S3, and for an answer


@dataclass(frozen=True)
class InputFile:
    """A file to score. name: below the input. version: an ETag or a time, which changes with the content.

    copy: the path of a clean copy, a CSV from which its rows are read.
    """

    address: str
    name: str
    size: int
    version: str
    copy: str = ""

    @property
    def is_csv(self) -> bool:
        """Whether its rows are read from a CSV, else from Parquet."""
        return bool(self.copy) or not _is_parquet(self.name)

    @property
    def place(self) -> str:
        """The address that its rows are read from."""
        return self.copy or self.address


def absolute(address: str) -> str:
    """Return an address that means the same in every process."""
    if address.startswith(S3):
        return address.rstrip("/")
    if "://" in address:
        raise BatchError(f"{address}: expected a local path or s3://bucket/prefix")
    return str(Path(address).resolve())


def list_inputs(address: str) -> list[InputFile]:
    """Return the files at an address, a file or a folder of any depth, by name. Raises BatchError.

    A file that is named itself may have any name. Of a folder, names that begin with `_` or `.` are other programs'
    marker files and are ignored. Anything else must be an input, and each file must be there once, so that each row is
    decided exactly once.
    """
    system, path = _locate(address)
    info = attempt(address, system.get_file_info, path)
    if info.type == fs.FileType.File:
        folder, names = address.removesuffix(f"/{info.base_name}"), [info.base_name]
    elif info.type == fs.FileType.Directory:
        folder, names = address, sorted(attempt(address, _names_below, system, path))
    else:
        raise BatchError(f"{address}: no such file or folder")
    if not names:
        raise BatchError(f"{address}: the folder is empty, expected files that end in .csv or .parquet")
    others = [name for name in names if not name.casefold().endswith(PARQUET + TEXT_OR_EXCEL)]
    if others and info.type == fs.FileType.Directory:
        raise BatchError(f"{address}: {others[0]}: expected a name that ends in .csv or .parquet")
    if len(set(map(_is_parquet, names))) > 1:
        raise BatchError(f"{address}: holds both CSV and Parquet, expected one of them")
    files = [look_up(f"{folder}/{name}", name) for name in names]
    seen: dict[str, InputFile] = {}
    for file in files if not address.startswith(S3) else ():
        same = seen.setdefault(os.path.realpath(file.address), file)
        if same is not file:
            raise BatchError(f"{file.address}: is the same file as {same.name}; each row is to be decided once")
    return files


def _is_parquet(name: str) -> bool:
    return name.casefold().endswith(PARQUET)


def _names_below(system: fs.FileSystem, path: str) -> list[str]:
    if isinstance(system, fs.LocalFileSystem):
        return _names_on_disk(path)
    infos = system.get_file_info(fs.FileSelector(path, recursive=True))
    names = [info.path[len(path) + 1 :] for info in infos if info.type == fs.FileType.File]
    return [name for name in names if not any(part.startswith(_MARKS) for part in name.split("/"))]


def _names_on_disk(path: str) -> list[str]:
    """Return the names of all but folders; Arrow's listing leaves out dangling links and pipes."""

    def fail(err: OSError) -> None:
        raise err

    names, seen = [], set()
    for folder, below, files in os.walk(path, followlinks=True, onerror=fail):
        below[:] = [name for name in below if not name.startswith(_MARKS)]
        if (real := os.path.realpath(folder)) in seen:
            raise BatchError(f"{folder}: is there twice, by a link; each row is to be decided once")
        seen.add(real)
        names += [os.path.relpath(f"{folder}/{name}", path) for name in files if not name.startswith(_MARKS)]
    for name in names:
        if not name.isascii() and name.encode(errors="replace").decode() != name:
            raise BatchError(f"{path}: holds a name that is not UTF-8: {name!a}")
    return names


def look_up(address: str, name: str) -> InputFile:
    """Return a file's present size and version. Raises BatchError."""
    if not address.startswith(S3):
        status = attempt(address, os.stat, address)  # fails for a dangling link
        if not S_ISREG(status.st_mode):
            raise BatchError(f"{address}: not a file")
        return InputFile(address, name, status.st_size, str(status.st_mtime_ns))
    with open_file(address) as file:
        return InputFile(address, name, file.size(), file.metadata()["ETag"].decode())


def open_file(address: str) -> pa.NativeFile:
    """Open a file to read any part of it. Raises BatchError."""
    system, path = _locate(address)
    return attempt(address, system.open_input_file, path)


def read_whole(address: str) -> bytes | None:
    """Return what a file holds, None where there is none. Raises BatchError."""
    system, path = _locate(address)
    if attempt(address, system.get_file_info, path).type != fs.FileType.File:
        return None
    with open_file(address) as file:
        return attempt(address, file.read)


def list_names(folder: str) -> set[str]:
    """Return the names in a folder, none where there is no folder. Raises BatchError."""
    system, path = _locate(folder)
    infos = attempt(folder, system.get_file_info, fs.FileSelector(path, allow_not_found=True))
    return {info.base_name for info in infos}


def write_whole(address: str, data: bytes | pa.Buffer) -> None:
    """Write a file that is there whole or not at all. Raises BatchError."""
    if address.startswith(S3):
        attempt(address, _put, *_locate(address), data)
    else:
        attempt(address, write_atomically, Path(address), data)


def _put(system: fs.FileSystem, path: str, data: bytes | pa.Buffer) -> None:
    # S3 shows an object when its upload is complete.
    stream = system.open_output_stream(path)
    stream.write(data)
    stream.close()


def _locate(address: str) -> tuple[fs.FileSystem, str]:
    return (_s3(), address.removeprefix(S3)) if address.startswith(S3) else (fs.LocalFileSystem(), address)


@cache
def _s3() -> fs.S3FileSystem:
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    place = {"scheme": endpoint.scheme, "endpoint_override": endpoint.netloc} if endpoint.netloc else {}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ("us-east-1" if place else None)
    timeouts = {"connect_timeout": S3_SECONDS, "request_timeout": S3_SECONDS}
    return fs.S3FileSystem(**place, **timeouts, region=region, background_writes=False, allow_delayed_open=True)


def attempt(address: str, action: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the action does; where it can't, raise BatchError that names the address."""
    try:
        return action(*arguments)
    except OSError as err:
        reason = err.strerror or str(err).partition("\n")[0]
        raise BatchError(f"{address}: {reason}") from err
