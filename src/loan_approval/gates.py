"""What must hold before a model may be promoted; each gate answers with numbers and in words."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loan_approval.evaluation import base_rate_log_loss, bootstrap, evaluate, fast_auc, permutation_p_value
from loan_approval.parity import ParityReport

SIGNAL_LEVEL = 0.01
CONFIRMATION_LEVEL = 0.05


@dataclass(frozen=True)
class Gate:
    """One gate's result. `words` says what was found and what was required."""

    name: str
    passed: bool
    words: str
    numbers: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the gate as a JSON document."""
        return asdict(self)


def signal_gate(y: np.ndarray, p: np.ndarray, seed: int) -> Gate:
    """Pass when out-of-fold scores of the train rows rank better than chance and beat the base rate's log loss.

    y, p: (n,) labels and out-of-fold probabilities. Level: 1 %, one-sided, labels permuted without refitting.
    """
    auc, p_value = fast_auc(y, p), permutation_p_value(y, p, seed)
    loss, base = evaluate(y, p, (p >= 0.5).astype(int))["log_loss"], base_rate_log_loss(y)
    numbers = {"auc": auc, "p_value": p_value, "log_loss": loss, "base_rate_log_loss": base}
    ranks, informs = p_value <= SIGNAL_LEVEL, loss < base
    found = (
        f"out-of-fold AUC {auc:.3f}, p-value {p_value:.4f} (at most {SIGNAL_LEVEL} required); "
        f"log loss {loss:.4f} against the base rate's {base:.4f}"
    )
    verdict = "the model ranks better than chance" if ranks else "the model cannot be told from chance"
    if ranks and not informs:
        verdict += ", but its probabilities say less than the base rate"
    return Gate("signal", ranks and informs, f"{verdict}: {found}", numbers)


def confirmation_gate(y: np.ndarray, p: np.ndarray, seed: int) -> Gate:
    """Pass when the file ranks rows it never saw better than chance.

    y, p: (n,) labels and the file's probabilities of the test rows. Level: 5 %, one-sided; exact, as nothing of the
    model depends on these labels, while out-of-fold scores depend on the labels of the other folds.
    """
    auc, p_value = fast_auc(y, p), permutation_p_value(y, p, seed)
    passed = p_value <= CONFIRMATION_LEVEL
    verdict = "ranks better than chance" if passed else "cannot be told from chance"
    found = f"AUC {auc:.3f}, p-value {p_value:.4f} (at most {CONFIRMATION_LEVEL} required)"
    words = f"on rows it never saw the model {verdict}: {found}"
    return Gate("confirmation", passed, words, {"auc": auc, "p_value": p_value})


def champion_gate(y: np.ndarray, p: np.ndarray, champion_p: np.ndarray | None, margin: float, seed: int) -> Gate:
    """Pass when the lower bound of AUC(challenger) - AUC(champion) on the test rows is at or above -margin.

    y, p, champion_p: (n,) of the same test rows, paired; None when nothing is in production. margin: >= 0.
    """
    if champion_p is None:
        return Gate("not_worse", True, "nothing is in production to compare with", {})
    difference = bootstrap(lambda rows: fast_auc(y[rows], p[rows]) - fast_auc(y[rows], champion_p[rows]), len(y), seed)
    passed = difference.low >= -margin
    better = "better than" if difference.low > 0 else "not worse than" if passed else "may be worse than"
    words = f"{better} production: AUC difference {difference}, lower bound at or above {-margin:g} required"
    if not passed and difference.value >= -margin:
        words += f"; {len(y):,} test rows are too few to tell (a wider `margin` is the risk officer's to choose)"
    return Gate("not_worse", bool(passed), words, {**asdict(difference), "margin": margin})


def parity_gate(report: ParityReport) -> Gate:
    """Pass when no decision of the model file differs from the fitted pipeline's."""
    passed = report.differing == 0 and report.rows > 0
    words = (
        f"{report.differing} of {report.rows:,} decisions differ from the fitted pipeline's, none may; "
        f"{report.near:,} rows lie within 1e-6 of the threshold; largest difference of probability {report.largest:.1e}"
    )
    return Gate("parity", passed, words, {key: float(value) for key, value in asdict(report).items()})


def overall(gates: list[Gate]) -> str:
    """Return the verdict, `passed` or `failed`."""
    return "passed" if gates and all(gate.passed for gate in gates) else "failed"
