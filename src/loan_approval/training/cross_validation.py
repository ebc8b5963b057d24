"""Repeated cross-validation on the train rows: how well a recipe ranks rows it did not learn from, and how surely.

One notion of AUC throughout: the mean over all held-out folds. A row is only ever ranked among rows that the same
model scored, as two models' uncalibrated scores need not be on one scale.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata, t
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from loan_approval.data.datasets import Dataset
from loan_approval.evaluation.metrics import Interval, fast_auc
from loan_approval.training.fit import FEWEST_PER_LABEL, Recipe, check_splits, check_width
from serve.contract.contract import Contract

FOLDS = 5
REPEATS = 5
CURVE_SHARES = (0.1, 0.2, 0.4, 0.7)  # of the rows a fold learns from; the whole is there already
ROWS_WORTH_PROCESSES = 4_000  # with fewer train rows, starting processes takes longer than it saves


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores of n train rows, from R repeats of K folds.

    y: (n,) codes.   p, fold: (R, n) uncalibrated probabilities, and the number of the fold that held the row out.
    """

    y: np.ndarray
    p: np.ndarray
    fold: np.ndarray

    def fold_aucs(self) -> np.ndarray:
        """Return (R, K) AUCs, each of one model on the rows it never saw."""
        folds = range(int(self.fold.max()) + 1)
        return np.array(
            [
                [fast_auc(self.y[fold == k], p[fold == k]) for k in folds]
                for p, fold in zip(self.p, self.fold, strict=True)
            ]
        )

    def auc(self, level: float = 0.95) -> Interval:
        """Return the mean AUC of the held-out folds with its two-sided interval.

        The variance over folds is enlarged by the ratio of held-out to learning rows, as folds share the rows they
        learn from; a bootstrap of the rows takes the fitted models as given and comes out too narrow by that.
        Sources: Nadeau and Bengio, "Inference for the Generalization Error", 2003; over repeats: Bouckaert and Frank,
        "Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms", 2004.
        """
        aucs = self.fold_aucs()
        error = np.sqrt((1 / aucs.size + 1 / (aucs.shape[1] - 1)) * aucs.var(ddof=1))
        reach = t.ppf((1 + level) / 2, aucs.size - 1) * error
        mean = aucs.mean()
        return Interval(float(mean), float(max(0, mean - reach)), float(min(1, mean + reach)))

    def p_value(self, seed: int, permutations: int = 2000) -> float:
        """Return the one-sided p-value of the mean AUC under permuted labels, without refitting.

        One permutation for all repeats: the test sees how alike the repeats are, and more of them don't lower it.
        Source: Phipson and Smyth, "Permutation P-values should never be zero", 2010.
        """
        ranks, rng = self._mean_ranks(), np.random.default_rng(seed)
        positives = int(np.sum(self.y))
        observed = np.sum(ranks[self.y == 1])
        drawn = np.array([np.sum(rng.permutation(ranks)[:positives]) for _ in range(permutations)])
        as_good = np.sum(drawn >= observed - 1e-9 * len(ranks))  # sums of equal ranks differ by their order
        return float((1 + as_good) / (1 + permutations))

    def _mean_ranks(self) -> np.ndarray:
        ranks = np.empty_like(self.p)
        for p, fold, ranked in zip(self.p, self.fold, ranks, strict=True):
            for number in np.unique(fold):
                held_out = fold == number
                ranked[held_out] = (rankdata(p[held_out]) - 0.5) / held_out.sum()
        return ranks.mean(axis=0)


@dataclass(frozen=True)
class CurvePoint:
    """How well models rank that learn from `rows` rows: mean and standard deviation of AUC over held-out folds."""

    rows: int
    auc: float
    spread: float


def cross_validate(
    recipe: Recipe, dataset: Dataset, repeats: int = REPEATS, folds: int = FOLDS, progress: bool = True
) -> CrossValidation:
    """Score each train row once a repeat by a model that never saw it. Raises DataError, FactoryError."""
    check_splits(dataset)
    check_width(recipe, dataset)
    X, y = dataset.rows("train")
    fold = np.empty((repeats, len(y)), dtype=np.int64)
    p = np.empty((repeats, len(y)))
    for repeat in range(repeats):
        split = StratifiedKFold(folds, shuffle=True, random_state=recipe.seed + repeat)
        for number, (_, held_out) in enumerate(split.split(X, y)):
            fold[repeat, held_out] = number
    cells = [(repeat, number) for repeat in range(repeats) for number in range(folds)]
    parts = [(fold[cell[0]] != cell[1], fold[cell[0]] == cell[1]) for cell in cells]
    scored = _scores(recipe, dataset.contract, X, y, parts, "cross-validation" if progress else None)
    for (repeat, _), (_, held_out), scores in zip(cells, parts, scored, strict=True):
        p[repeat, held_out] = scores
    return CrossValidation(y, p, fold)


def learning_curve(
    recipe: Recipe, dataset: Dataset, whole: CrossValidation, shares: Sequence[float] = CURVE_SHARES
) -> list[CurvePoint]:
    """Return the AUC at growing numbers of rows to learn from, on the folds of the first repeat; `whole` is the last.

    A share that leaves a fold too few rows of a label is left out.
    """
    X, y = dataset.rows("train")
    folds = range(int(whole.fold.max()) + 1)
    parts, sizes = [], []
    for share in shares:
        for number in folds:
            learn, held_out = np.flatnonzero(whole.fold[0] != number), np.flatnonzero(whole.fold[0] == number)
            if share * min(np.bincount(y[learn], minlength=2)) < FEWEST_PER_LABEL:
                continue
            chosen, _ = train_test_split(learn, train_size=share, random_state=recipe.seed, stratify=y[learn])
            parts.append((chosen, held_out))
            sizes.append(share)
    scored = _scores(recipe, dataset.contract, X, y, parts, "learning curve")
    found: dict[float, list[tuple[int, float]]] = {}
    for share, (chosen, held_out), scores in zip(sizes, parts, scored, strict=True):
        found.setdefault(share, []).append((len(chosen), fast_auc(y[held_out], scores)))
    points = [_point(*map(np.array, zip(*each, strict=True))) for each in found.values()]
    return [*points, _point(np.array(len(y) * (1 - 1 / len(folds))), whole.fold_aucs())]


def _point(rows: np.ndarray, aucs: np.ndarray) -> CurvePoint:
    return CurvePoint(round(float(rows.mean())), float(aucs.mean()), float(aucs.std()))


def _scores(
    recipe: Recipe,
    contract: Contract,
    X: np.ndarray,
    y: np.ndarray,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    title: str | None,
) -> Iterable[np.ndarray]:
    """Yield the scores of each part's held-out rows, in order; on many rows with a process a core.

    title: of the progress bar, none without.
    """
    jobs = -1 if len(y) >= ROWS_WORTH_PROCESSES else 1
    tasks = (delayed(_score_part)(recipe, contract, X[learn], y[learn], X[held_out]) for learn, held_out in parts)
    scores: Iterator[np.ndarray] = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return tqdm(scores, total=len(parts), desc=title, unit="fit", disable=title is None)


def _score_part(recipe: Recipe, contract: Contract, X: np.ndarray, y: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    with threadpool_limits(1):  # one thread a fit: the same scores however many processes there are
        pipeline = recipe.make_pipeline(contract).fit(X, y)
        return pipeline.predict_proba(held_out)[:, 1].astype(np.float64)


def describe(validation: CrossValidation, curve: Sequence[CurvePoint], seed: int) -> dict[str, Any]:
    """Return what the model card shows of the signal, as a JSON document."""
    repeats, folds = validation.fold_aucs().shape
    return {
        "rows": len(validation.y),
        "repeats": repeats,
        "folds": folds,
        "auc": asdict(validation.auc()),
        "auc_by_repeat": validation.fold_aucs().mean(axis=1).tolist(),
        "p_value": validation.p_value(seed),
        "learning_curve": [asdict(point) for point in curve],
    }
