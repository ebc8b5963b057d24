"""XGBoost, from the optional group `xgboost`: the proof that a model from outside scikit-learn fits in one file."""

from collections.abc import Sequence

from sklearn.base import BaseEstimator

from loan_approval.errors import FactoryError
from loan_approval.training.factory import ModelFactory


class XGBoost(ModelFactory):
    """150 boosted trees of depth 4."""

    name = "xgboost"
    learns_on_float32 = True
    trusted_types = ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier")

    def make_estimator(self, directions: Sequence[int], seed: int) -> BaseEstimator:
        """Return the estimator. Raises FactoryError where xgboost is not installed."""
        try:
            from xgboost import XGBClassifier
        except ImportError as err:
            raise FactoryError("xgboost is not installed: `pip install xgboost-cpu onnxmltools`") from err
        return XGBClassifier(
            n_estimators=150,
            max_depth=4,
            learning_rate=0.08,
            monotone_constraints=tuple(directions),
            n_jobs=1,
            random_state=seed,
        )

    def register_converter(self) -> None:
        """Register the converter of onnxmltools."""
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
        from xgboost import XGBClassifier

        options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
        update_registered_converter(
            XGBClassifier, "XGBClassifier", calculate_linear_classifier_output_shapes, convert_xgboost, options=options
        )
