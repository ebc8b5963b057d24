from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.association import association_matrix, missing_patterns
from loan_approval.plots import exploration
from serve.contract.feature import Feature

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 200)
LABELS = ["Denied", "Approved"]
NO_CONTRACT = SimpleNamespace(features=[])
FRAME = pd.DataFrame(
    {
        "income": np.where(np.arange(200) < 20, np.nan, RNG.lognormal(10, 1, 200)),
        "home": pd.Series(RNG.choice(np.array(["own", "rent", None], dtype=object), 200), dtype=object),
        "nothing": np.full(200, np.nan),
        "same": np.ones(200),
        "granted": Y,
    }
)
FIGURES = {
    "missing": lambda: exploration.plot_missing(FRAME),
    "missing_patterns": lambda: exploration.plot_missing_patterns(missing_patterns(FRAME)),
    "associations": lambda: exploration.plot_associations(association_matrix(FRAME)),
    "distributions": lambda: exploration.plot_distributions(FRAME, NO_CONTRACT, "granted", LABELS, columns=3),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_a_figure_that_can_be_saved(name, tmp_path):
    FIGURES[name]().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_every_plot_is_tested_above():
    assert {f"plot_{name}" for name in FIGURES} == {name for name in dir(exploration) if name.startswith("plot_")}


def test_missing_shows_the_percentage_of_each_column():
    axes = FIGURES["missing"]().axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    width = dict(zip(names, (bar.get_width() for bar in axes.patches), strict=True))
    assert (width["income"], width["nothing"]) == (10, 100)
    assert "same" not in width


def test_long_names_leave_room_for_the_missing_cells(tmp_path):
    frame = pd.DataFrame({f"Monthly housing costs in relation to income {i} (share)": [1.0, np.nan] for i in range(9)})
    figure = exploration.plot_missing(frame)
    figure.savefig(tmp_path / "figure.png")  # lays it out
    assert figure.axes[0].get_position().width > 0.4


def test_there_is_one_distribution_a_feature_and_none_of_the_target():
    axes = [axes for axes in FIGURES["distributions"]().axes if axes.get_visible()]
    assert [each.get_title() for each in axes] == ["income", "home", "nothing", "same"]


def test_the_values_of_a_category_are_named_and_their_shares_add_up_by_label():
    figure = FIGURES["distributions"]()
    axes = next(axes for axes in figure.axes if axes.get_title() == "home")
    assert {text.get_text() for text in axes.get_yticklabels()} == {"own", "rent"}
    assert [sum(bar.get_width() for bar in bars) for bars in axes.containers] == pytest.approx([100, 100])


def test_a_column_of_texts_is_a_category_whatever_pandas_keeps_them_as():
    frame = pd.DataFrame({"home": pd.Series(["own", "rent"] * 5, dtype="str"), "granted": [0, 1] * 5})
    axes = exploration.plot_distributions(frame, NO_CONTRACT, "granted", LABELS).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["own", "rent"]


def test_a_category_of_many_values_says_how_many_are_not_shown():
    frame = pd.DataFrame({"branch": pd.Series([f"b{i % 20}" for i in range(200)], dtype=object), "granted": Y})
    axes = exploration.plot_distributions(frame, NO_CONTRACT, "granted", LABELS).axes[0]
    assert axes.get_xlabel() == "% of rows; 8 rarer values not shown"


def test_each_pattern_of_missing_cells_is_a_line_with_its_rows():
    axes = FIGURES["missing_patterns"]().axes[0]
    words = [text.get_text() for text in axes.get_yticklabels()]
    assert sum(int(each.split(" ")[0].replace(",", "")) for each in words) == len(FRAME)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["home", "income", "nothing"]


def test_no_empty_figure_is_drawn_where_nothing_is_missing():
    whole = FRAME[["same", "granted"]]
    assert exploration.plot_missing(whole) is None
    assert exploration.plot_missing_patterns(missing_patterns(whole)) is None


def test_a_single_column_with_gaps_has_nothing_to_be_missing_together_with():
    assert exploration.plot_missing_patterns(missing_patterns(FRAME[["income", "same"]])) is None


def test_a_long_category_is_named_on_two_lines_and_marked_where_it_is_cut():
    values = ["consolidation of debts", "a very long purpose of a loan indeed, longer than two lines"]
    frame = pd.DataFrame({"use": pd.Series(values * 9, dtype=object), "granted": [0, 1] * 9})
    axes = exploration.plot_distributions(frame, NO_CONTRACT, "granted", LABELS).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["consolidation of\ndebts", "a very long purpose\nof a loan indeed,…"]


@pytest.mark.parametrize("rows", [1, 10, 200])
@pytest.mark.parametrize("label", [0, 1])
def test_distributions_of_a_single_label_are_shown(rows, label, tmp_path):
    columns = {"income": RNG.random(rows), "home": pd.Series(["own"] * rows, dtype=object)}
    frame = pd.DataFrame(columns | {"nothing": np.full(rows, np.nan), "granted": np.full(rows, label)})
    exploration.plot_distributions(frame, NO_CONTRACT, "granted", LABELS).savefig(tmp_path / "figure.png")


def test_a_number_of_two_values_is_drawn_as_a_category_without_an_axis_of_numbers():
    frame = pd.DataFrame({"defaulted": [0.0, 1.0, 0.0, np.nan] * 5, "granted": [0, 1] * 10})
    axes = exploration.plot_distributions(frame, NO_CONTRACT, "granted", LABELS).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "1"]
    assert [bar.get_width() for bar in axes.containers[1]] == [0, 100]


def test_the_legend_stands_beside_the_small_figures_and_covers_none(tmp_path):
    figure = FIGURES["distributions"]()
    figure.savefig(tmp_path / "figure.png")  # lays it out
    assert [text.get_text() for text in figure.legends[0].get_texts()] == LABELS
    legend = figure.legends[0].get_window_extent()
    assert all(not legend.overlaps(axes.get_window_extent()) for axes in figure.axes if axes.get_visible())


def test_a_long_title_stays_above_its_own_small_figure(tmp_path):
    title = "Obligations relative to income (total obligations as a % of total income) {}"
    frame = pd.DataFrame({title.format(number): np.arange(200.0) for number in range(6)} | {"granted": Y})
    figure = exploration.plot_distributions(frame, NO_CONTRACT, "granted", LABELS)
    figure.savefig(tmp_path / "figure.png")  # lays it out
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_of_a_hundred_columns_those_that_lack_most_are_shown():
    frame = pd.DataFrame({f"c{i}": [np.nan] * i + [1.0] * (100 - i) for i in range(100)})
    names = [text.get_text() for text in exploration.plot_missing(frame).axes[0].get_yticklabels()]
    assert names == [f"c{i}" for i in range(70, 100)]


def test_the_contracts_words_name_columns_and_values_and_years_have_no_separator(tmp_path):
    year = Feature("year", "integer", min=1990, max=2030, reason={"en": "Year of the loan"})
    married = Feature("married", "integer", min=0, max=1, unit="0 = no, 1 = yes")
    frame = pd.DataFrame({"year": 2010 + np.arange(200.0) % 9, "married": Y.astype(float), "granted": Y})
    contract = SimpleNamespace(features=[year, married])
    figure = exploration.plot_distributions(frame, contract, "granted", LABELS)
    figure.savefig(tmp_path / "figure.png")  # places the ticks
    years, flags = figure.axes[:2]
    assert (years.get_title(), flags.get_title()) == ("Year of the loan", "married")
    assert {text.get_text() for text in flags.get_yticklabels()} == {"no", "yes"}
    assert "2014" in [text.get_text() for text in years.get_xticklabels()]
