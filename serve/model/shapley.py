"""Interventional Shapley values: what each feature of one application adds to the log-odds of approval.

The worth of a coalition of features is the mean log-odds over the background rows, each weighed by the people it stands
for, with these features replaced by the application's. Up to `MOST_EXACT` features the values are exact, over all
coalitions; beyond, they are estimated over random orders of the features, which are the same for the same file and
application.
Sources: Shapley, "A Value for n-Person Games", 1953; Strumbelj and Kononenko, "Explaining prediction models and
individual predictions with feature contributions", KAIS 2014; Mitchell et al., "Sampling Permutations for Shapley
Value Estimation", JMLR 2022, for orders in pairs, one the reverse of the other.
"""

import hashlib
from dataclasses import dataclass
from math import comb

import numpy as np

from serve.model.scorer import Scorer
from serve.model.trees import read_trees

MOST_EXACT = 10  # features
MOST_COALITIONS = 2**MOST_EXACT  # scored on each background row for one application, up to 256 features
MOST_CELLS = 2**20  # of trees, held at once: about 15 MB for as long as they are scored
MOST_ROWS = 1000  # explained in one request
MOST_WORK = 2**21  # rows scored for them, times what one takes: some seconds
FILE_PART = 2**16  # bytes of a file, for which onnxruntime takes up to some 10 us a row
FEWEST_PAIRS = 2  # of orders: the standard error needs two
CLIP = 1e-6  # probabilities are kept this far from 0 and 1, so that log-odds are finite


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to the log-odds of approval.

    base: weighted mean log-odds over the background rows.   values: (F,); base + sum(values) is the application's
    log-odds up to rounding.   error: 0.0 if the values are exact, else the largest of their standard errors.
    """

    base: float
    values: np.ndarray
    error: float


class Explainer:
    """Explains applications with one model file; its state never changes, so threads may share it.

    middles: (F,) weighted medians of the background rows, NaN where a feature is missing in all.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._background = scorer.background
        self._features = scorer.background.shape[1]
        self._pairs = max(FEWEST_PAIRS, MOST_COALITIONS // (2 * self._features))
        self.trees = read_trees(scorer)
        if self.trees:
            self._parts = np.array([self.trees.split(row[None]) for row in scorer.background])
            self._cells = self._parts.sum(axis=1, dtype=self._parts.dtype)
        self._shares = scorer.background_weights
        self._base = float(np.sum(_log_odds(scorer.score(scorer.background)) * self._shares))
        self.middles = weighted_medians(scorer.background, self._shares)
        if self._features <= MOST_EXACT:
            self._sets = np.arange(2**self._features)  # each number is a coalition, its bits are the features in it
            self._masks = self._sets[:, None] >> np.arange(self._features) & 1 == 1
            self._without = np.array([self._sets[~inside] for inside in self._masks.T])
            self._with = self._without + (1 << np.arange(self._features))[:, None]
            # By the size of the coalition that a feature joins; the weights of all it can join sum to 1.
            weights = [1 / (self._features * comb(self._features - 1, size)) for size in range(self._features)]
            self._weights = np.array(weights)[self._masks.sum(axis=1)[self._without]]
        parts = 1 if self.trees else -(-scorer.file_bytes // FILE_PART)
        work = len(scorer.background) * self._most_coalitions() * parts
        self.most_rows = max(1, min(MOST_ROWS, MOST_WORK // work))  # that one request may have explained

    def explain(self, X: np.ndarray) -> Explanation:
        """Return the explanation of one (1, F) float64 row from `Contract.encode`."""
        if self.trees is None:
            changes, differs = None, (self._background != X) & ~(np.isnan(self._background) & np.isnan(X))
        else:  # two values between the same thresholds of all trees are the same
            changes = self.trees.split(X) - self._parts
            differs = changes.any(axis=2)
        return self._exact(X, differs, changes) if self._features <= MOST_EXACT else self._sampled(X, differs, changes)

    def _exact(self, X: np.ndarray, differs: np.ndarray, changes: np.ndarray | None) -> Explanation:
        # A feature with the same value in both changes nothing: the coalition without it stands for the one with it.
        stand_ins = self._sets & (differs @ (1 << np.arange(self._features)))[:, None]
        row, coalition = np.nonzero(stand_ins == self._sets)
        if changes is None:
            p = self._scorer.score(np.where(self._masks.take(coalition, axis=0), X, self._background.take(row, axis=0)))
        else:
            p = self._score_coalitions(changes, row, coalition)
        log_odds = np.empty(stand_ins.shape)
        log_odds[row, coalition] = _log_odds(p) * self._shares.take(row)
        worth = np.take_along_axis(log_odds, stand_ins, axis=1).sum(axis=0)
        # Differences first, so that a feature that changes no score has exactly 0.
        values = np.sum(self._weights * (worth[self._with] - worth[self._without]), axis=1)
        return Explanation(self._base, values, 0.0)

    def _score_coalitions(self, changes: np.ndarray, row: np.ndarray, coalition: np.ndarray) -> np.ndarray:
        """Return (n,) probabilities for (n,) background rows, ascending, each with the features of a coalition changed.

        changes: (B, F, T), what the value of the application changes in the cells of each background row.
        """
        trees = changes.shape[2]
        step = max(1, MOST_CELLS // (len(self._sets) * trees))
        p = []
        for start in range(0, len(changes), step):
            some = slice(start, start + step)
            cells = np.empty((len(self._sets), *self._cells[some].shape), dtype=changes.dtype)
            cells[0] = self._cells[some]
            for column in range(self._features):  # joins each of the coalitions of those before it
                np.add(cells[: 1 << column], changes[some, column], out=cells[1 << column : 2 << column])
            these = slice(*np.searchsorted(row, (start, start + step)))
            place = coalition[these] * cells.shape[1] + row[these] - start
            p.append(self.trees.score(cells.reshape(-1, trees).take(place, axis=0)))
        return np.concatenate(p)

    def _sampled(self, X: np.ndarray, differs: np.ndarray, changes: np.ndarray | None) -> Explanation:
        orders = self._orders(X)
        joined = np.argsort(orders, axis=1)[:, None, :] < np.arange(self._features + 1)[:, None]
        masks = joined.reshape(-1, self._features)
        worth = np.zeros(len(masks))
        for number, row in enumerate(self._background):  # one at a time, to save memory
            packed = np.packbits(masks & differs[number], axis=1)
            packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
            kind = np.uint64 if packed.shape[1] == 8 else f"V{packed.shape[1]}"  # numpy sorts numbers quicker
            sets = packed.view(kind).ravel()  # the bits of each mask as one item
            _, first, position = np.unique(sets, return_index=True, return_inverse=True)
            if changes is None:
                p = self._scorer.score(np.where(masks[first], X, row))
            else:
                cells = np.empty((self._features + 1, len(orders), changes.shape[2]), dtype=changes.dtype)
                cells[0] = self._cells[number]
                for step, joining in enumerate(orders.T):
                    np.add(cells[step], changes[number].take(joining, axis=0), out=cells[step + 1])
                order, step = np.divmod(first, len(cells))
                p = self.trees.score(cells[step, order])
            worth += _log_odds(p)[position] * self._shares[number]
        gains = np.diff(worth.reshape(len(orders), -1), axis=1)
        values = np.empty(orders.shape)
        np.put_along_axis(values, orders, gains, axis=1)
        by_pair = (values[::2] + values[1::2]) / 2  # an order and its reverse are one observation, not two
        error = by_pair.std(axis=0, ddof=1).max() / np.sqrt(len(by_pair))
        return Explanation(self._base, by_pair.mean(axis=0), float(error))

    def _most_coalitions(self) -> int:
        """Return how many coalitions are scored for an application on each background row."""
        if self._features <= MOST_EXACT:
            return 2**self._features
        return 2 * self._pairs * (self._features + 1)

    def _orders(self, X: np.ndarray) -> np.ndarray:
        """Return (k, F) orders of the features, each followed by its reverse; the same for one file and application."""
        canonical = np.where(np.isnan(X), np.nan, X + 0.0).astype("<f8")  # one NaN and one zero
        digest = hashlib.sha256(bytes.fromhex(self._scorer.sha256) + canonical.tobytes()).digest()
        rng = np.random.default_rng(int.from_bytes(digest))
        orders = np.array([rng.permutation(self._features) for _ in range(self._pairs)])
        return np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, self._features)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, CLIP, 1 - CLIP)
    return np.log(p / (1 - p))


def weighted_medians(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (F,) least values of (B, F) rows that half of the weight does not exceed; NaN = missing, left out."""
    medians = []
    for column in rows.T:
        order = np.argsort(column)[: np.count_nonzero(~np.isnan(column))]  # NaN comes last
        upto = np.cumsum(weights[order])
        medians.append(column[order[np.argmax(upto >= upto[-1] / 2)]] if len(order) else np.nan)
    return np.array(medians)
