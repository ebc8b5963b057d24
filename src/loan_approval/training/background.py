"""The background rows of a model file: cluster centres of the approved applicants, with whom others are compared.

Each centre is made from at least `FEWEST_MEMBERS` applicants. The data alone determine the centres, so that two models
of the same data explain their scores against the same rows.
"""

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from loan_approval.data.datasets import Dataset
from loan_approval.errors import DataError
from loan_approval.training.factory import PreprocessorFactory, find_factory
from serve.contract.contract import Contract
from serve.contract.feature import Feature

CENTRES = 16
FEWEST_MEMBERS = 5  # applicants behind a centre
CLUSTERED_ROWS = 20_000  # at most; more add time and hardly change 16 centres


def make_background(dataset: Dataset) -> np.ndarray:
    """Return (B, F) encoded centres of the approved train rows, NaN = missing; B is at most `CENTRES`.

    Raises DataError when fewer than `FEWEST_MEMBERS` train rows are approved.
    """
    X, y = dataset.rows("train")
    approved = X[y == 1]
    if len(approved) < FEWEST_MEMBERS:
        found = f"{len(approved)} rows of split train are {dataset.contract.label(1)!r}"
        raise DataError(f"{dataset.name}: {found}, expected at least {FEWEST_MEMBERS}")
    if len(approved) > CLUSTERED_ROWS:
        chosen = np.random.default_rng(0).choice(len(approved), CLUSTERED_ROWS, replace=False)
        approved = approved[np.sort(chosen)]
    members = cluster(approved, dataset.contract)
    return np.array(
        [
            [_middle(approved[members == k, i], approved[:, i], f) for i, f in enumerate(dataset.contract.scored)]
            for k in np.unique(members)
        ]
    )


def cluster(X: np.ndarray, contract: Contract) -> np.ndarray:
    """Return the cluster of each of (n, F) rows; a cluster with too few members is joined to its nearest neighbour.

    Distances are between imputed, standardised numbers and one-hot categories.
    """
    with threadpool_limits(1):  # one thread: the sums have one order, a rebuild gives the same centres
        points = find_factory(PreprocessorFactory, "median_imputer_with_scaler").make(contract).fit_transform(X)
        clusters = min(CENTRES, len(X) // FEWEST_MEMBERS, len(np.unique(points, axis=0)))
        members = KMeans(clusters, n_init=4, random_state=0).fit(points).labels_
    while True:
        names, sizes = np.unique(members, return_counts=True)
        if sizes.min() >= FEWEST_MEMBERS:
            return members
        smallest, others = names[sizes.argmin()], np.delete(names, sizes.argmin())
        middle = points[members == smallest].mean(axis=0)
        apart = [np.sum((points[members == name].mean(axis=0) - middle) ** 2) for name in others]
        members = np.where(members == smallest, others[np.argmin(apart)], members)


def _middle(values: np.ndarray, approved: np.ndarray, feature: Feature) -> float:
    """Return the mean of a number, the most frequent of a category, NaN where most are missing.

    With too few known values to hide a person, use those of all approved applicants.
    """
    known = values[~np.isnan(values)]
    if 2 * len(known) < len(values):
        return np.nan
    if len(known) < FEWEST_MEMBERS:
        known = approved[~np.isnan(approved)]  # of this feature
    if feature.is_category:
        return float(np.bincount(known.astype(int)).argmax())
    mean = float(np.clip(known.mean(), feature.min, feature.max))
    return float(round(mean)) if feature.type == "integer" else mean
