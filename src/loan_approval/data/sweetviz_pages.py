"""The sweetviz pages of a data set: target analysis, train against test rows, and one table against another."""

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
from serve.files import write_atomically

_DRAWN = ("mini", "detail-0")  # a number's histograms on a sweetviz page: small, and large with as many bins as fit


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
        from sweetviz import series_analyzer_numeric as numeric

        draw = numeric.GraphNumeric
        # Of each number it draws four histograms that differ in their bins: most of a page's time and bytes.
        with patch.object(numeric, "GraphNumeric", lambda which, *of: draw(which, *of) if which in _DRAWN else None):
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
