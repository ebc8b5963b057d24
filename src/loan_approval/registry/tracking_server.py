"""Where MLflow is, and one clear line when it is not there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from mlflow.exceptions import MlflowException

from loan_approval.errors import TrackingError
from loan_approval.project import ROOT

CONNECT_SECONDS = 5.0
LONGEST_REASON = 300  # characters of what MLflow says
_PORTS = {"http": 80, "https": 443}


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, by default an SQLite file in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlflow.db'}"


@lru_cache
def check_reachable(uri: str) -> None:
    """Raise TrackingError unless something listens at an http(s) address: MLflow's own client tries for minutes."""
    place = urlsplit(uri)
    if place.scheme not in _PORTS or _goes_through_proxy(place):
        return
    try:
        address = (place.hostname or "", place.port or _PORTS[place.scheme])
        socket.create_connection(address, CONNECT_SECONDS).close()
    except (OSError, ValueError) as err:  # ValueError: a port that is no number
        raise _unusable(uri, getattr(err, "strerror", None) or str(err)) from err


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what MLflow's client raises about a server into a TrackingError of one line."""
    try:
        yield
    except MlflowException as err:
        uri = tracking_uri()
        if urlsplit(uri).scheme not in _PORTS:
            raise
        raise _unusable(uri, err.message) from err


def _goes_through_proxy(place: SplitResult) -> bool:
    return place.scheme in getproxies() and not proxy_bypass(place.hostname or "")


def _unusable(uri: str, reason: str) -> TrackingError:
    place = urlsplit(uri)
    credentials, _, host = place.netloc.rpartition("@")
    address = place._replace(netloc=host).geturl()
    # MLflow quotes the address, in which a password may stand.
    words = reason.replace(f"{credentials}@", "") if credentials else reason
    words = " ".join(words.split())[:LONGEST_REASON]
    return TrackingError(f"MLflow at {address}: {words}; is it running, and are MLFLOW_TRACKING_… right?")
