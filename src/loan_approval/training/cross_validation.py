"""Repeated cross-validation on the train rows: how well a recipe ranks held-out rows, with its uncertainty.

AUC is the mean over the held-out folds: rows that different models scored are not ranked together, as two models'
uncalibrated scores need not be on one scale.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import rankdata, t
from sklearn.model_selection import train_test_split
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from loan_approval.data.datasets import Dataset
from loan_approval.data.shape import FEWEST_PER_LABEL, count_units
from loan_approval.evaluation.intervals import Interval, rank_p_value
from loan_approval.evaluation.metrics import fast_auc
from loan_approval.training.fit import Recipe, check_fit
from loan_approval.training.folds import assign_folds, labels_of_groups
from serve.contract.contract import Contract

FOLDS = 5
REPEATS = 5
CURVE_SHARES = (0.1, 0.2, 0.4, 0.7)  # of the rows a fold learns from; the cross-validation itself is the last point
ROWS_WORTH_PROCESSES = 4_000  # with fewer train rows, starting processes takes longer than it saves


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores of n train rows, from R repeats of K folds.

    y: (n,) codes.   p, fold: (R, n) uncalibrated probabilities, and the number of the fold that held the row out.
    groups: (n,) the number of the unit that each row is; the rows of a unit share their folds.
    """

    y: np.ndarray
    p: np.ndarray
    fold: np.ndarray
    groups: np.ndarray

    def fold_aucs(self) -> np.ndarray:
        """Return (R, K) AUCs, each of one model on the rows it never saw."""
        folds = range(int(self.fold.max()) + 1)
        repeats = zip(self.p, self.fold, strict=True)
        return np.array([[fast_auc(self.y[fold == k], p[fold == k]) for k in folds] for p, fold in repeats])

    def auc(self) -> Interval:
        """Return the mean AUC of the held-out folds with its 95 % interval.

        Folds share rows they learn from, so the variance over folds grows by the ratio of held-out to learning rows. An
        interval of the rows alone would ignore that models vary too, and be too narrow.
        Sources: Nadeau and Bengio, "Inference for the Generalization Error", 2003; over repeats: Bouckaert and Frank,
        "Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms", 2004.
        """
        aucs = self.fold_aucs()
        error = np.sqrt((1 / aucs.size + 1 / (aucs.shape[1] - 1)) * aucs.var(ddof=1))
        reach = t.ppf((1 + 0.95) / 2, aucs.size - 1) * error
        mean = aucs.mean()
        return Interval(float(mean), float(max(0, mean - reach)), float(min(1, mean + reach)))

    def p_value(self, seed: int, permutations: int = 2000) -> float:
        """Return the one-sided p-value of the mean AUC under permuted labels, without refitting.

        All repeats share each permutation, so that more repeats alone don't lower the p-value.
        """
        ranks = np.empty_like(self.p)
        for p, fold, ranked in zip(self.p, self.fold, ranks, strict=True):
            for held_out in (fold == number for number in np.unique(fold)):
                ranked[held_out] = (rankdata(p[held_out]) - 0.5) / held_out.sum()
        return rank_p_value(self.y, ranks.mean(axis=0), seed, self.groups, permutations)


@dataclass(frozen=True)
class CurvePoint:
    """Mean and standard deviation over held-out folds of the AUC of models that learn from `rows` rows."""

    rows: int
    auc: float
    spread: float


def cross_validate(recipe: Recipe, dataset: Dataset, repeats: int = REPEATS, folds: int = FOLDS) -> CrossValidation:
    """Score each train row once a repeat by a model that never saw it. Raises DataError, FactoryError."""
    check_fit(recipe, dataset)
    (_, y), groups = dataset.rows("train"), dataset.units("train")
    fold = np.array([assign_folds(y, groups, folds, recipe.seed + repeat) for repeat in range(repeats)])
    parts = [(numbers != k, numbers == k) for numbers in fold for k in range(folds)]
    p = np.empty(fold.shape)
    for i, scores in enumerate(_scores(recipe, dataset, parts, "cross-validation")):
        p[i // folds, parts[i][1]] = scores
    return CrossValidation(y, p, fold, groups)


def learning_curve(
    recipe: Recipe, dataset: Dataset, whole: CrossValidation, shares: Sequence[float] = CURVE_SHARES
) -> list[CurvePoint]:
    """Return the AUC by the number of rows to learn from, on the folds of the first repeat; `whole` is the last point.

    A fold in which a share leaves too few rows of a label is left out.
    """
    y, groups, fold_aucs = whole.y, whole.groups, whole.fold_aucs()
    labels = labels_of_groups(y, groups, FEWEST_PER_LABEL)
    parts, share_of_part = [], []
    for share, number in product(shares, range(fold_aucs.shape[1])):
        learn, held_out = np.flatnonzero(whole.fold[0] != number), np.flatnonzero(whole.fold[0] == number)
        if share * min(count_units(y[learn], groups[learn])) >= FEWEST_PER_LABEL:
            units = np.unique(groups[learn])
            kept, _ = train_test_split(units, train_size=share, random_state=recipe.seed, stratify=labels[units])
            parts.append((np.flatnonzero(np.isin(groups, kept)), held_out))
            share_of_part.append(share)
    scored = zip(parts, _scores(recipe, dataset, parts, "learning curve"), strict=True)
    aucs = np.array([fast_auc(y[held_out], scores) for (_, held_out), scores in scored])
    rows, of_part = np.array([len(chosen) for chosen, _ in parts]), np.array(share_of_part)
    points = [_point(rows[of_part == share], aucs[of_part == share]) for share in dict.fromkeys(share_of_part)]
    return [*points, _point(np.array(len(y) * (1 - 1 / fold_aucs.shape[1])), fold_aucs)]


def _point(rows: np.ndarray, aucs: np.ndarray) -> CurvePoint:
    return CurvePoint(round(float(rows.mean())), float(aucs.mean()), float(aucs.std()))


def _scores(
    recipe: Recipe, dataset: Dataset, parts: Sequence[tuple[np.ndarray, np.ndarray]], title: str
) -> Iterable[np.ndarray]:
    """Yield the scores of each part's held-out rows, in order; for many rows one process a core.

    parts: the train rows to learn from and the held-out ones.   title: of the progress bar.
    """
    X, y = dataset.rows("train")
    run = Parallel(n_jobs=-1 if len(y) >= ROWS_WORTH_PROCESSES else 1, return_as="generator")
    score_part = delayed(_score_part)
    scores = run(score_part(recipe, dataset.contract, X[learn], y[learn], X[held_out]) for learn, held_out in parts)
    return tqdm(scores, total=len(parts), desc=title, unit="fit")


def _score_part(recipe: Recipe, contract: Contract, X: np.ndarray, y: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    with threadpool_limits(1):  # one thread a fit: the same scores however many processes there are
        pipeline = recipe.make_pipeline(contract).fit(X, y)
        return pipeline.predict_proba(held_out)[:, 1].astype(np.float64)


def describe(validation: CrossValidation, curve: Sequence[CurvePoint], seed: int) -> dict[str, Any]:
    """Return the model card's JSON document on the signal."""
    aucs = validation.fold_aucs()
    repeats, folds = aucs.shape
    return {
        "rows": len(validation.y),
        "repeats": repeats,
        "folds": folds,
        "auc": asdict(validation.auc()),
        "auc_by_repeat": aucs.mean(axis=1).tolist(),
        "p_value": validation.p_value(seed),
        "learning_curve": [asdict(point) for point in curve],
    }
