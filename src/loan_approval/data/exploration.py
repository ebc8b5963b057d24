"""Describes a data set before any model: tables, hints and findings in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset
from loan_approval.data.draft_feature import LEAK_AUC
from loan_approval.data.folders import dataset_folder, has_questions
from loan_approval.data.refused import Refused
from loan_approval.data.shape import too_few
from loan_approval.data.splits import SPLITS
from loan_approval.data.wording import feature_titles, write_span
from loan_approval.evaluation.metrics import fast_auc
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.contract.numbers import READABLE, write_number

STRONG_AUC = 0.6
MOST_NAMED = 5  # features in one sentence
RATE_FOLDS = 5
SPREAD = ("least", "lower quartile", "median", "upper quartile", "most")


def describe_columns(dataset: Dataset) -> pd.DataFrame:
    """Return one row a feature: what the contract allows and what the data hold."""
    rows = []
    for feature in dataset.contract.features:
        column = dataset.frame[feature.name]
        allowed = write_span(feature, feature.values or (feature.min, feature.max))
        spread = write_span(feature, sorted(column.dropna().unique()), READABLE)
        missing = round(100 * float(column.isna().mean()), 2)
        rows.append((feature.name, feature.use, allowed, spread, missing))
    return pd.DataFrame(rows, columns=["feature", "use", "allowed", "in the data", "missing %"])


def columns_left_out(contract: Contract) -> list[dict[str, str]]:
    """Return each column that is no part of the data set, and why: refused by name, or left out when it was made."""
    refused = [{"column": feature.name, "why": "the contract refuses it"} for feature in contract.refused]
    made = contract.source.get("left_out", {})
    return refused + [{"column": name, "why": why} for name, why in made.items()]


def describe_kept(refused: Refused) -> list[str]:
    """Return what the contract refused and what follows, in sentences; [] when it refused nothing."""
    advice = "This report is about the others. Training stops until all are mended at their source, or the contract is."
    return [refused.describe(), advice] if refused.broken else []


def describe_values(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return one row a feature: known values, mean and quartiles of a number, the most frequent value of a category."""
    rows = []
    for feature in contract.features:
        known = frame[feature.name].dropna()
        row: dict[str, Any] = {"feature": feature.name, "known": len(known), "distinct": known.nunique()}
        if feature.is_category and len(known):
            counts = known.value_counts()
            row |= {"most frequent": f"{feature.show(counts.index[0])} ({counts.iloc[0] / len(known):.1%})"}
        elif len(known):
            spread = known.quantile([0, 0.25, 0.5, 0.75, 1])
            row |= {"mean": known.mean(), **dict(zip(SPREAD, spread, strict=True))}
            row |= {name: _as_read(feature, float(row[name])) for name in ("mean", *SPREAD)}
        rows.append(row)
    columns = ["feature", "known", "distinct", "mean", *SPREAD, "most frequent"]
    return pd.DataFrame(rows).reindex(columns=columns).dropna(axis="columns", how="all")


def _as_read(feature: Feature, number: float) -> float | str:
    """Return a number, or its text where a reader needs another one than a table writes: a date, a year, a meaning."""
    text = feature.show(number)
    return number if text == write_number(number) else text


def describe_missing(frame: pd.DataFrame) -> str:
    """Return in one sentence how much is missing, and where most."""
    share = frame.isna().mean()
    if not share.any():
        return "Nothing is missing."
    rows = float(frame.isna().any(axis=1).mean())
    return f"{rows:.1%} of the rows have an empty cell; most are in {share.idxmax()} ({share.max():.1%} of the rows)."


def describe_alone(association: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return in one sentence which features tell the labels apart by themselves, of `target_association`."""
    strong = association[association["auc"] >= STRONG_AUC]
    if strong.empty:
        return f"No feature by itself ranks the train rows with AUC {STRONG_AUC} or more."
    shown = ", ".join(
        f"{names.get(row.feature, row.feature)} ({row.auc:.2f})" for row in strong.head(MOST_NAMED).itertuples()
    )
    return f"By themselves these rank the train rows with AUC {STRONG_AUC} or more: {shown}."


def target_association(dataset: Dataset) -> pd.DataFrame:
    """Return one row a feature, strongest first: the AUC of ranking train rows by it, and Spearman's correlation.

    A category is ranked by the approval rate of its rows in other folds: a rare value by its own rows would look
    strong by chance. Missing values are left out. `auc` is the larger of AUC and 1 - AUC, of `rows` rows.
    """
    chosen = dataset.splits == "train"
    train, groups = dataset.frame[chosen], dataset.units("train")
    target = dataset.contract.target.name
    rows = []
    for feature in dataset.contract.features:
        has_value = train[feature.name].notna().to_numpy()
        value, y = train[feature.name][has_value], train[target][has_value].to_numpy()
        if feature.is_category:
            value = _rate_elsewhere(value, y, groups[has_value])
        auc = fast_auc(y, value.to_numpy(dtype=float))
        # Rates of other folds are a little lower where the own ones are higher: turned round, noise would look strong.
        auc = auc if feature.is_category else max(auc, 1 - auc)
        varies = value.nunique() > 1 and len(np.unique(y)) > 1
        rho = value.corr(pd.Series(y, value.index), method="spearman") if varies else np.nan
        found = {"feature": feature.name, "auc": auc, "spearman": rho, "rows": len(y), "use": feature.use}
        rows.append(found)
    return pd.DataFrame(rows).sort_values("auc", ascending=False, kind="stable", ignore_index=True)


def _rate_elsewhere(value: pd.Series, y: np.ndarray, groups: np.ndarray) -> pd.Series:
    """Return for each row the rate of 1s among the rows of its value in the other folds, the overall rate if none."""
    fold = pd.Series(groups % RATE_FOLDS, value.index)
    ones = pd.Series(y, value.index, dtype=float)
    in_fold = ones.groupby([value, fold]).transform("sum"), ones.groupby([value, fold]).transform("size")
    sums, counts = (ones.groupby(value).transform(how) - own for how, own in zip(("sum", "size"), in_fold, strict=True))
    return (sums / counts.where(counts > 0)).fillna(float(ones.mean()) if len(ones) else 0.0)


def leakage_hints(dataset: Dataset) -> list[str]:
    """Return, in words, what may have been known only after the decision."""
    association, names = target_association(dataset), feature_titles(dataset.contract)
    hints = [
        f"{names[row.feature]} alone ranks with AUC {row.auc:.3f}: is it known when an application comes in?"
        for row in association[association["auc"] >= LEAK_AUC].itertuples()
    ]
    train = dataset.splits == "train"
    for name in dataset.frame.columns.drop(dataset.contract.target.name):
        auc = fast_auc(dataset.y[train], dataset.frame[name].isna().to_numpy(dtype=float)[train])
        if max(auc, 1 - auc) >= LEAK_AUC:
            hints.append(
                f"that {names[name]} is missing ranks with AUC {max(auc, 1 - auc):.3f}: is it filled in afterwards?"
            )
    return hints


def findings(dataset: Dataset) -> list[str]:
    """Return the conclusion of the exploration, in sentences."""
    association, names = target_association(dataset), feature_titles(dataset.contract)
    scored = association[association["use"] == "score"]
    missing = dataset.frame.isna().mean().drop(dataset.contract.target.name)
    gaps = [f"{names[name]} {share:.1%}" for name, share in missing[missing > 0].sort_values(ascending=False).items()]
    more = f" and {len(gaps) - MOST_NAMED} more" if len(gaps) > MOST_NAMED else ""
    approved = np.mean(dataset.y[dataset.splits != "test"])
    counts = ", ".join(f"{int(np.sum(dataset.splits == split)):,} {split}" for split in SPLITS)
    return [
        f"{len(dataset.y):,} applications, {approved:.1%} of train and calibrate {dataset.contract.label_text(1)}; "
        f"{counts} rows.",
        f"Missing: {', '.join(gaps[:MOST_NAMED])}{more}." if gaps else "Nothing is missing.",
        describe_alone(scored, names),
        *(leakage_hints(dataset) or ["No sign of leakage."]),
    ]


def advise(dataset: Dataset, refused: Refused, folder: str) -> str:
    """Return what to do next, in one sentence. folder: of the data set, as the commands name it."""
    if refused.broken:
        return "First mend what the contract refuses, or change the contract deliberately: training stops at it."
    if words := too_few(dataset):
        return f"First get more rows: training will refuse these. {words[0].upper()}{words[1:]}."
    if has_questions(dataset_folder(folder)):
        return "First answer the questions in contract.toml: training stops at them."
    if leakage_hints(dataset):
        return "First ask whether what ranks so well is known when an application comes in: only then may it be scored."
    return f"Nothing here stands against training: make train DATASET={folder}"
