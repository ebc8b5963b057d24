"""Numbers: missing ones become the training median, then mean 0 and variance 1."""

from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from loan_approval.training.factory import PreprocessorFactory


class MedianImputerWithScaler(PreprocessorFactory):
    """Median imputation, then standardisation."""

    name = "median_imputer_with_scaler"

    def make_number_steps(self) -> list[tuple[str, BaseEstimator]]:
        """Return imputer and scaler."""
        impute = SimpleImputer(strategy="median", keep_empty_features=True)
        return [("impute", impute), ("scale", StandardScaler())]
