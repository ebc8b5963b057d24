import base64
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from PIL import Image

from loan_approval.evaluation.effects import Effect, Interaction
from loan_approval.notebooks import show
from loan_approval.notebooks.summary import FIGURE_MIME
from loan_approval.plots import effects
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from tests.shown import bundle_of

HOMES = Contract.from_dict(
    {
        **{"format": 1, "model_name": "homes_model", "experiment": "homes", "split_salt": "homes-1"},
        "target": {
            "name": "granted",
            "meaning": "repaid",
            "positive": "yes",
            "labels": {"no": "Denied", "yes": "Granted"},
        },
        "feature": [
            {"name": "home", "type": "category", "values": ["own", "rent"], "example": "own"},
            {"name": "amount", "type": "number", "min": 0, "max": 100, "unit": "USD", "example": 10},
        ],
    }
)
HOME, AMOUNT = HOMES.scored
BY_HOME = Effect(HOME, np.array([0.0, 1.0]), np.array([[0.8, 0.2], [0.6, 0.4]]))
BY_AMOUNT = Effect(AMOUNT, np.array([0.0, 50.0, 100.0]), np.array([[0.5, 0.5, 0.4], [0.5, 0.5, 0.6]]))
BOTH = Interaction((HOME, AMOUNT), (BY_HOME.values, BY_AMOUNT.values), np.full((2, 3), 0.5), 0.3)
SLICES = pd.DataFrame(
    {"feature": ["home", "amount"], "band": ["own", "0 to 9"], "rows": [40, 100], "error_rate": [0.5, 0.0]}
)
FIGURES = {
    "effects": lambda: effects.plot_effects([BY_HOME, BY_AMOUNT], 0.5, "repaid"),
    "interaction": lambda: effects.plot_interaction(BOTH, "repaid"),
    "reasons": lambda: effects.plot_reasons(HOMES.scored, np.array([-1.5, 0.5]), 0.2, "repaid"),
    "slices": lambda: effects.plot_slices(SLICES, 0.1),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_a_figure_that_can_be_saved(name, tmp_path):
    FIGURES[name]().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_every_plot_is_tested_above():
    assert {f"plot_{name}" for name in FIGURES} == {name for name in dir(effects) if name.startswith("plot_")}


def test_each_feature_has_its_curve_named_with_its_unit_and_values():
    shown = [axes for axes in FIGURES["effects"]().axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["home", "amount (USD)"]
    assert [text.get_text() for text in shown[0].get_xticklabels()] == ["own", "rent"]


def test_the_waterfall_ends_at_the_applications_probability():
    (axes,) = FIGURES["reasons"]().axes
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["average: 55.0%", "this application: 31.0%"]  # of log-odds 0.2 and -0.8
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-1.5, 0.5])


def test_many_small_reasons_are_one_step():
    values = np.array([1.0, *[0.1] * 5])
    axes = effects.plot_reasons([AMOUNT] * 6, values, 0.0, "repaid", most=2).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["amount", "amount", "4 others"]


def test_each_slice_has_its_interval():
    axes = FIGURES["slices"]().axes[0]
    ends = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert [low <= rate <= high for (low, high), rate in zip(ends, SLICES["error_rate"], strict=True)] == [True, True]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["home: own (40)", "amount: 0 to 9 (100)"]


def test_the_strongest_effect_is_said_in_words():
    assert effects.describe_effects([BY_HOME, BY_AMOUNT]) == (
        "home moves the mean probability most: from 30% at rent to 70% at own."
    )


@pytest.mark.parametrize(("strength", "words"), [(0.02, "add up"), (0.3, "9% of the variance of their joint effect")])
def test_an_interaction_is_said_in_words(strength, words):
    found = Interaction(BOTH.features, BOTH.values, BOTH.mean, strength)
    assert words in effects.describe_interaction(found)


@pytest.mark.parametrize("name", ["effects", "interaction", "reasons"])
def test_a_figure_of_repaid_loans_speaks_of_repayment_and_not_of_approval(name):
    words = [f"{axes.get_xlabel()} {axes.get_ylabel()}" for axes in FIGURES[name]().axes]
    assert any("repaid" in each for each in words)
    assert not any("approval" in each for each in words)


def test_the_bars_of_a_waterfall_leave_room_for_their_numbers():
    axes = FIGURES["reasons"]().axes[0]
    low, high = axes.get_xlim()
    ends = [bar.get_bbox().extents[[0, 2]] for bar in axes.patches]
    assert low < np.min(ends) - 0.05 * (high - low)
    assert np.max(ends) + 0.05 * (high - low) < high


def test_an_axis_of_whole_numbers_has_no_halves(tmp_path):
    late = Feature("late", "integer", min=0, max=3)
    curves = np.tile(np.linspace(0.9, 0.1, 4), (5, 1))
    axes = effects.plot_effects([Effect(late, np.arange(4.0), curves)], 0.5, "repaid").axes[0]
    assert all(place == round(place) for place in axes.get_xticks())


def test_a_category_that_is_cut_at_a_tick_is_marked_so(tmp_path):
    names = ("paid as agreed, always and in full", "paid late")
    history = Feature("history", "category", values=names)
    axes = effects.plot_effects([Effect(history, np.arange(2.0), BY_HOME.curves)], 0.5, "repaid").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["paid as agreed, alway…", "paid late"]


def test_a_contribution_that_rounds_to_nothing_has_no_minus():
    axes = effects.plot_reasons(HOMES.scored, np.array([-1.5, -0.0001]), 0.2, "repaid").axes[0]
    assert [note.get_text() for note in axes.texts] == ["-1.50", "+0.00"]


@pytest.mark.parametrize("features", [2, 12])
def test_the_legend_of_a_waterfall_stands_below_its_title(features, tmp_path):
    columns = [Feature(f"f{i}", "number") for i in range(features)]
    figure = effects.plot_reasons(columns, np.linspace(1, 2, features), 0.2, "repaid")
    figure.savefig(tmp_path / "figure.png")  # lays it out
    axes = figure.axes[0]
    assert not axes.get_legend().get_window_extent().overlaps(axes.title.get_window_extent())


def test_the_colours_beside_a_picture_are_those_that_a_still_keeps():
    shown = FIGURES["interaction"]()
    still = base64.b64decode(bundle_of(show.figure, shown, front=True)[FIGURE_MIME]["picture"])
    colours = {colour for _, colour in Image.open(io.BytesIO(still)).convert("RGB").getcolors(10**6)}
    scale = colormaps["RdYlBu"].resampled(effects.STEPS)
    wanted = [tuple(round(255 * part) for part in scale(step)[:3]) for step in range(effects.STEPS)]
    assert all(min(max(abs(a - b) for a, b in zip(c, w, strict=True)) for c in colours) <= 8 for w in wanted)
