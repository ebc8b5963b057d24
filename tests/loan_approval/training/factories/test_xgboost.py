import sys

import pytest

from loan_approval.errors import FactoryError
from loan_approval.training.factories.xgboost import XGBoost


def test_without_xgboost_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(FactoryError, match="xgboost is not installed: `pip install xgboost-cpu onnxmltools`"):
        XGBoost().make([0, 0], 7, {})
