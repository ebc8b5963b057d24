"""Describes a data set before any model: tables, hints and findings in words, sweetviz pages."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset
from loan_approval.data.draft_feature import LEAK_AUC
from loan_approval.data.splits import SPLITS
from loan_approval.evaluation.metrics import fast_auc
from serve.files import write_atomically

STRONG_AUC = 0.6


def describe_columns(dataset: Dataset) -> pd.DataFrame:
    """Return one row a feature: what the contract allows and what the data hold."""
    rows = []
    for feature in dataset.contract.features:
        column = dataset.frame[feature.name]
        allowed = ", ".join(feature.values) if feature.is_category else f"{feature.min:g} to {feature.max:g}"
        seen = column.dropna()
        is_listed = feature.is_category or seen.empty
        spread = ", ".join(sorted(seen.unique())) if is_listed else f"{seen.min():g} to {seen.max():g}"
        missing = round(100 * float(column.isna().mean()), 2)
        rows.append((feature.name, feature.use, feature.unit, allowed, spread, missing))
    return pd.DataFrame(rows, columns=["feature", "use", "unit", "allowed", "in the data", "missing %"])


def target_association(dataset: Dataset) -> pd.DataFrame:
    """Return one row a feature, strongest first: the AUC of ranking train rows by it, and Spearman's correlation.

    A category is ranked by its approval rate; missing values are left out. `auc` is the larger of AUC and 1 - AUC.
    """
    train = dataset.frame[dataset.splits == "train"]
    target = dataset.contract.target.name
    rows = []
    for feature in dataset.contract.features:
        known = train[[feature.name, target]].dropna()
        value = known[feature.name]
        if feature.is_category:
            value = known.groupby(feature.name)[target].transform("mean")
        auc = fast_auc(known[target].to_numpy(), value.to_numpy(dtype=float))
        rho = value.corr(known[target], method="spearman") if value.nunique() > 1 else np.nan
        rows.append({"feature": feature.name, "auc": max(auc, 1 - auc), "spearman": rho, "use": feature.use})
    return pd.DataFrame(rows).sort_values("auc", ascending=False, kind="stable", ignore_index=True)


def leakage_hints(dataset: Dataset) -> list[str]:
    """Return, in words, what may have been known only after the decision."""
    association = target_association(dataset)
    hints = [
        f"{row.feature} alone ranks with AUC {row.auc:.3f}: is it known when an application comes in?"
        for row in association[association["auc"] >= LEAK_AUC].itertuples()
    ]
    train = dataset.splits == "train"
    for name in dataset.frame.columns.drop(dataset.contract.target.name):
        auc = fast_auc(dataset.y[train], dataset.frame[name].isna().to_numpy(dtype=float)[train])
        if max(auc, 1 - auc) >= LEAK_AUC:
            hints.append(f"that {name} is missing ranks with AUC {max(auc, 1 - auc):.3f}: is it filled in afterwards?")
    return hints


def findings(dataset: Dataset) -> list[str]:
    """Return the conclusion of the exploration, in sentences."""
    association = target_association(dataset)
    scored = association[association["use"] == "score"]
    strong = scored[scored["auc"] >= STRONG_AUC]["feature"].tolist()
    missing = dataset.frame.isna().mean()
    gaps = [f"{name} {share:.1%}" for name, share in missing[missing > 0].sort_values(ascending=False).items()]
    approved = np.mean(dataset.y[dataset.splits != "test"])
    counts = ", ".join(f"{int(np.sum(dataset.splits == split)):,} {split}" for split in SPLITS)
    return [
        f"{len(dataset.y):,} applications, {approved:.1%} of train and calibrate {dataset.contract.target.approved}; "
        f"{counts} rows.",
        f"Missing: {', '.join(gaps)}." if gaps else "Nothing is missing.",
        f"Features that rank with AUC {STRONG_AUC} or more by themselves: {', '.join(strong) or 'none'}.",
        *(leakage_hints(dataset) or ["No sign of leakage."]),
    ]


def write_sweetviz(dataset: Dataset, folder: Path) -> list[Path]:
    """Write the target analysis of train and calibrate rows, and train against test features; return the paths."""
    target = dataset.contract.target.name
    frame = _as_floats(dataset.frame)
    with_labels = frame[dataset.splits != "test"].reset_index(drop=True)
    features = frame.drop(columns=target)
    train, test = (features[dataset.splits == split].reset_index(drop=True) for split in ("train", "test"))
    with _quiet_sweetviz() as sweetviz:
        settings = sweetviz.FeatureConfig(force_num=[], force_cat=[])
        options = {"pairwise_analysis": "off"}
        pages = {
            "sweetviz_target.html": sweetviz.analyze([with_labels, dataset.name], target, settings, **options),
            "sweetviz_train_test.html": sweetviz.compare([train, "train"], [test, "test"], None, settings, **options),
        }
        return [_write_page(page, folder / name) for name, page in pages.items()]


def write_comparison(
    reference: tuple[pd.DataFrame, str], current: tuple[pd.DataFrame, str], path: Path, target: str | None = None
) -> Path:
    """Write the sweetviz page that compares two named tables in the columns in which both hold values.

    target: relate the other columns to this one, if both tables have it.
    """
    columns = shared_columns(reference[0], current[0])
    tables = [[_as_floats(table[columns]).reset_index(drop=True), name] for table, name in (reference, current)]
    with _quiet_sweetviz() as sweetviz:
        page = sweetviz.compare(*tables, target if target in columns else None, pairwise_analysis="off")
        return _write_page(page, path)


def shared_columns(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """Return the columns in which both tables hold values, in the order of the reference."""
    return [name for name in reference if name in current and reference[name].count() and current[name].count()]


@contextmanager
def _quiet_sweetviz() -> Iterator[ModuleType]:
    """Yield sweetviz; keep its warnings, progress bars and prints, and matplotlib's on fonts, out of the notebook."""
    with (
        patch.object(logging.getLogger("matplotlib.font_manager"), "disabled", True),
        warnings.catch_warnings(action="ignore"),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
        # sweetviz 2.3.3 uses this name, which numpy 2 dropped, for a column whose mean is 0.
        patch.object(np, "NaN", np.nan, create=True),
    ):
        import sweetviz

        yield sweetviz


def _write_page(page: object, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    page.show_html(str(beside), open_browser=False)
    write_atomically(path, beside.read_bytes())
    beside.unlink()
    return path


def _as_floats(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose numbers are floats: sweetviz takes integer columns of two values for booleans."""
    return frame.astype({name: float for name in frame.columns if frame[name].dtype != object})
