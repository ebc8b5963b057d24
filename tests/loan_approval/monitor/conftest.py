"""Data sets with a model and a prediction log."""

from pathlib import Path

import pytest

from tests.monitored import Monitored, make_loans, make_mixed


@pytest.fixture
def loans(tmp_path: Path) -> Monitored:
    return make_loans(tmp_path)


@pytest.fixture
def mixed(tmp_path: Path) -> Monitored:
    return make_mixed(tmp_path)
