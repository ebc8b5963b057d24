"""Numbers: missing ones become the training median."""

from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from loan_approval.training.factory import PreprocessorFactory


class MedianImputer(PreprocessorFactory):
    """Median imputation."""

    name = "median_imputer"

    def make_number_steps(self) -> list[tuple[str, BaseEstimator]]:
        """Return the imputer."""
        return [("impute", SimpleImputer(strategy="median", keep_empty_features=True))]


class MedianImputerWithScaler(MedianImputer):
    """Median imputation, then mean 0 and variance 1."""

    name = "median_imputer_with_scaler"

    def make_number_steps(self) -> list[tuple[str, BaseEstimator]]:
        """Return imputer and scaler."""
        return [*super().make_number_steps(), ("scale", StandardScaler())]
