"""Readers of single settings; each names the variable, what stood there and what may."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.errors import SettingsError


@dataclass(frozen=True)
class Reader:
    """Reads numbers from an environment."""

    environment: Mapping[str, str]

    def __call__(self, name: str, kind: Callable[[str], Any], default: Any, low: float, high: float) -> Any:
        """Return the variable as `kind`, from low to high, or the default where it is not set. Raises SettingsError."""
        text = self.environment.get(name, "")
        if not text:
            return default
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise SettingsError(f"{name}={text!r}: expected {kind.__name__} from {low:g} to {high:g}")
        return value


def read_path(environment: Mapping[str, str], name: str) -> Path | None:
    """Return the path of a file that is there, None where the variable is not set. Raises SettingsError."""
    text = environment.get(name, "")
    if not text:
        return None
    if not Path(text).is_file():
        raise SettingsError(f"{name}={text!r}: expected a file")
    return Path(text)


def read_address(environment: Mapping[str, str], name: str) -> tuple[str, int] | None:
    """Return (host, port), None where the variable is not set. Raises SettingsError."""
    text = environment.get(name, "")
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise SettingsError(f"{name}={text!r}: expected host:port")
    return host.strip("[]"), int(port)


def read_choice(environment: Mapping[str, str], name: str, *choices: str) -> str:
    """Return the variable, the first of the choices where it is not set. Raises SettingsError."""
    text = environment.get(name) or choices[0]
    if text not in choices:
        raise SettingsError(f"{name}={text!r}: expected {' or '.join(choices)}")
    return text
