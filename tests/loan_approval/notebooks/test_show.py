"""What notebooks show: the same HTML for JupyterLab and for the report, and plain text."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.datasets import load_contract
from loan_approval.evaluation.intervals import Interval
from loan_approval.notebooks import show
from loan_approval.notebooks.summary import FIGURE_MIME, HEADER_MIME
from loan_approval.plots.metrics import plot_roc
from loan_approval.project import ROOT
from serve.contract.feature import Feature
from serve.contract.target import Target
from tests.shown import bundle_of

GATES = [
    {"name": "not_worse", "passed": False, "words": "it is <worse>", "found": "AUC -0.020", "limit": "at least -0.01"},
    {"name": "age", "passed": True, "words": "nothing to prove"},
]


def test_a_header_says_verdict_and_gates_in_words_and_sign_and_escapes_them() -> None:
    tiles = [("AUC", "0.874", "95 % interval 0.863 to 0.885"), ("approved", "58.0%")]

    shown = bundle_of(show.header, "loans", tiles, ["It fails <there>."], GATES, version="3", verdict="failed")

    html, document = shown["text/html"], shown[HEADER_MIME]
    assert all(text in html for text in ("✗ failed", "✓ passed", "AUC -0.020", "at least -0.01", "0.863 to 0.885"))
    assert "&lt;worse&gt;" in html
    assert "&lt;there&gt;" in html
    assert document["facts"].keys() == {"dataset", "version", "verdict", "time", "commit"}
    assert "verdict: failed" in shown["text/plain"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (12345.678, "12,346"),
        (5e6, "5,000,000"),
        (3.0, "3"),
        (1234, "1,234"),
        (True, "yes"),
        (None, "–"),
        (float("nan"), "–"),
        (Interval(0.8744, 0.863, 0.885), "0.874 [0.863, 0.885]"),
        ({"value": 0.8744, "low": 0.863, "high": 0.885}, "0.874 [0.863, 0.885]"),
        ({"wrong_approval": 1.0, "review": None}, "wrong approval 1; review –"),
        ([0.5, 0.25], "0.5, 0.25"),
        ((), "none"),
        ({}, "none"),
        ("text", "text"),
    ],
)
def test_a_value_is_shown_as_a_reader_wants_it(value: object, text: str) -> None:
    assert show.shown(value) == text


def test_a_table_has_headings_formats_units_and_the_contracts_labels() -> None:
    contract = load_contract(ROOT / "data/boston")
    rows = pd.DataFrame({"feature": ["loanamt"], "error_rate": [0.25], "rows": [np.int64(1200)], "hidden": [1]})

    columns = {"feature": "feature", "error_rate": "errors", "rows": "rows"}
    shown = bundle_of(show.table, rows, columns, contract, {"error_rate": "{:.1%}"})

    assert "Loan amount" in shown["text/html"]
    assert all(text in shown["text/html"] for text in (">errors<", ">25.0%<", 'data-order="1200">1,200<'))
    assert "hidden" not in shown["text/html"]
    assert "loanamt" not in shown["text/plain"]


def test_a_mapping_is_a_table_of_names_and_values() -> None:
    html = bundle_of(show.table, {"share_referred": 0.5}, {"name": "measure", "value": "value"})["text/html"]

    assert ">share referred<" in html
    assert ">0.5<" in html


def test_a_table_of_nothing_says_so() -> None:
    assert "no rows" in bundle_of(show.table, [])["text/html"]


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    html = bundle_of(show.table, [{"row": number} for number in range(show.MOST_ROWS + 1_500)])["text/html"]

    assert "1,500 more rows are left out" in html
    assert html.count("<tr>") == show.MOST_ROWS + 1


def test_a_table_escapes_its_cells() -> None:
    assert "<script>" not in bundle_of(show.table, [{"<script>": "<script>"}])["text/html"]


def test_a_figure_has_its_still_its_plot_and_what_it_says() -> None:
    y, p = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.6, 0.4])

    shown = bundle_of(
        show.figure, plot_roc({"model": (y, p)}, ["denied", "approved"], "test"), "AUC 0.750.", front=True
    )

    assert shown["text/plain"] == "ROC, test rows\nAUC 0.750."
    assert 'alt="ROC, test rows"' in shown["text/html"]
    assert f"base64,{shown[FIGURE_MIME]['picture']}" in shown["text/html"]
    assert json.loads(shown[FIGURE_MIME]["plot"])["doc"]["roots"]


def test_only_a_figure_for_the_front_page_keeps_its_picture_twice() -> None:
    y, p = np.array([0, 1]), np.array([0.1, 0.9])

    assert (
        "picture"
        not in bundle_of(show.figure, plot_roc({"model": (y, p)}, ["denied", "approved"], "test"))[FIGURE_MIME]
    )


def test_no_figure_leaves_its_sentence() -> None:
    assert bundle_of(show.figure, None, "Nobody is referred.")["text/plain"] == "Nobody is referred."


def test_a_table_shows_labels_and_values_in_the_contracts_english_words() -> None:
    home = Feature("home", "category", values=("casa",), words={"en": {"casa": "house"}, "pt": {"house": "x"}})
    target = Target("granted", "repaid", "1", {"1": "Sim", "0": "Não"}, {"en": {"Sim": "Yes"}})
    contract = SimpleNamespace(features=[home], target=target)
    rows = [{"what": each} for each in ("casa", "home", "Sim", "Não", "house")]
    assert bundle_of(show.table, rows, contract=contract)["text/plain"].split() == [
        "what",
        "house",
        "home",
        "Yes",
        "Não",
        "house",
    ]


def test_a_table_of_many_rows_is_scrolled_on_a_screen_and_one_of_few_is_not():
    assert "la-wide la-long" in bundle_of(show.table, [{"n": n} for n in range(31)])["text/html"]
    assert "la-wide la-long" not in bundle_of(show.table, [{"n": n} for n in range(30)])["text/html"]


def test_a_long_code_in_a_table_may_break_at_its_underscores_and_stays_escaped() -> None:
    html = bundle_of(show.table, [{"group": "black_or_<african>"}])["text/html"]
    assert "black_<wbr>or_<wbr>&lt;african&gt;</td>" in html
