from pathlib import Path

import pytest

from tests.benchmarks.model import Made, make_model
from tests.benchmarks.servers import LOGISTIC


@pytest.fixture(scope="session")
def logistic(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The model that the servers are compared with."""
    folder: Path = tmp_path_factory.mktemp("benchmarks") / LOGISTIC
    return make_model(LOGISTIC, folder)
