"""The background rows of a model file: cluster centres of those its rule approves, with whom others are compared.

Each centre is made from at least `FEWEST_MEMBERS` applicants, and weighs as many; the rows of a declared group are one
applicant's. A comparison with applicants who reach the minimum score is one of two methods that Regulation B's official
interpretation names (12 CFR part 1002, supplement I, comment 9(b)(2)-5).
"""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from loan_approval.data.datasets import Dataset
from loan_approval.data.splits import name_units
from loan_approval.errors import DataError
from loan_approval.training.factory import PreprocessorFactory, find_factory
from loan_approval.training.fit import score
from serve.contract.contract import Contract
from serve.contract.feature import Feature

CENTRES = 16
FEWEST_MEMBERS = 5  # applicants behind a centre
CLUSTERED_ROWS = 20_000  # at most; more add time and hardly change 16 centres


def make_background(dataset: Dataset, pipeline: Pipeline, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (B, F) encoded centres of the approved train rows, NaN = missing, and how many applicants (B,) each has.

    pipeline: fitted; approved is what it scores at the threshold or above.   B is at most `CENTRES`.   A centre
    that is denied itself is left out, unless all are: every denied application shall have a reason.
    Raises DataError when fewer than `FEWEST_MEMBERS` train rows are approved.
    """
    X, grouped = dataset.rows("train")[0], bool(dataset.contract.group_key)
    chosen = score(pipeline, X) >= threshold
    approved = X[chosen]
    people = dataset.units("train")[chosen] if grouped else np.arange(len(approved))
    if (found := len(np.unique(people))) < FEWEST_MEMBERS:
        units = name_units(dataset.contract.split_by) if grouped else "rows"
        found = f"the rule approves {found} {units} of split train"
        raise DataError(f"{dataset.name}: {found}, expected at least {FEWEST_MEMBERS} to compare others with")
    if len(approved) > CLUSTERED_ROWS:
        chosen = np.random.default_rng(0).choice(len(approved), CLUSTERED_ROWS, replace=False)
        approved, people = approved[np.sort(chosen)], people[np.sort(chosen)]
    members = cluster(approved, dataset.contract, people)
    names, features = np.unique(members), dataset.contract.scored
    centres = np.array(
        [[_middle(approved[:, i], members == k, people, f) for i, f in enumerate(features)] for k in names]
    )
    weights = np.array([len(np.unique(people[members == k])) for k in names])
    kept = score(pipeline, centres) >= threshold
    return (centres[kept], weights[kept]) if kept.any() else (centres, weights)


def cluster(X: np.ndarray, contract: Contract, people: np.ndarray) -> np.ndarray:
    """Return the cluster of each of (n, F) rows; a cluster with too few people is joined to its nearest neighbour.

    people: (n,) the number of the person whose row each is.   Distances are between imputed, standardised numbers and
    one-hot categories.
    """
    with threadpool_limits(1):  # one thread: the sums have one order, a rebuild gives the same centres
        points = find_factory(PreprocessorFactory, "median_imputer_with_scaler").make(contract).fit_transform(X)
        clusters = min(CENTRES, len(np.unique(people)) // FEWEST_MEMBERS, len(np.unique(points, axis=0)))
        members = KMeans(clusters, n_init=4, random_state=0).fit(points).labels_
    while True:
        names = np.unique(members)
        sizes = np.array([len(np.unique(people[members == name])) for name in names])
        if sizes.min() >= FEWEST_MEMBERS:
            return members
        smallest, others = names[sizes.argmin()], np.delete(names, sizes.argmin())
        middle = points[members == smallest].mean(axis=0)
        apart = [np.sum((points[members == name].mean(axis=0) - middle) ** 2) for name in others]
        members = np.where(members == smallest, others[np.argmin(apart)], members)


def _middle(values: np.ndarray, is_member: np.ndarray, people: np.ndarray, feature: Feature) -> float:
    """Return the mean of a number, the most frequent of a category, NaN where most of the members' are missing.

    values: (n,) of all approved applicants, which are used where too few people's are known to hide a person.   An age
    ends where `elderly_from` begins: beside older applicants, an elderly one's age would count against them.
    """
    is_known = ~np.isnan(values)
    of_members = is_known & is_member
    if 2 * of_members.sum() < is_member.sum():
        return np.nan
    known = values[of_members if len(np.unique(people[of_members])) >= FEWEST_MEMBERS else is_known]
    if feature.is_category:
        return float(np.bincount(known.astype(int)).argmax())
    most = feature.max if feature.elderly_from is None else min(feature.max, feature.elderly_from)
    mean = float(np.clip(known.mean(), feature.min, most))
    return float(round(mean)) if feature.is_whole else mean
