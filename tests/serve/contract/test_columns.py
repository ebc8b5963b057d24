import math
import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.contract.columns import encode_cells, encode_column, encode_monitored
from serve.contract.fault import Fault
from serve.contract.feature import Feature
from tests.serve.contract.test_feature import DAY, NUMBER

AWKWARD = [
    *("2020-02-29", "2015-01-01", "2014-12-31", "2021-02-29", "31/12/2020", "2020-1-1"),
    *(None, True, False, "", "1", " 1 ", "abc", b"1", [], {}, 1j, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308),
    *(10**400, -(10**400), 2**53, 2**53 + 1, 2**63, 2**64, -(2**53) - 1, 0, 1, 10.0, 10.5, 17, 18, 100, 101, 1e6),
    *(
        Decimal(20),
        Fraction(20),
        1e6 + 1e-9,
        np.nextafter(1e6, 2e6),
        np.float64(20),
        np.int64(20),
        np.bool_(True),
        -1.5,
        -1.5000001,
    ),
]
FEATURES = [
    NUMBER,
    Feature("income", "number", min=-1.5, max=1e6, missing=True),
    Feature("age", "integer", min=18, max=100),
    Feature("age", "integer", min=18, max=100, missing=True),
    Feature("wide", "integer", min=1 - 2**53, max=2**53 - 1, missing=True),
    Feature("home", "category", values=("1", "abc"), missing=True),
    Feature("owns", "category", values=("False", "True")),
    Feature("grade", "category", values=("1", "20", "(other)"), other="(other)"),
    Feature.from_dict(DAY),
    Feature.from_dict({**DAY, "as": "month", "missing": True}),
]


def encode_one_by_one(feature: Feature, values: Sequence[object]) -> tuple[list[float], dict[int, str]]:
    numbers, faults = [], {}
    for row, value in enumerate(values):
        try:
            numbers.append(feature.encode(value))
        except Fault as fault:
            numbers.append(math.nan)
            faults[row] = str(fault)
    return numbers, faults


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: f"{feature.name}-{feature.missing}")
@pytest.mark.parametrize("value", AWKWARD, ids=lambda value: repr(value)[:20])
def test_a_column_of_one_awkward_value_is_judged_as_the_value_is(feature, value):
    numbers, faults = encode_column(feature, [value])
    expected_numbers, expected_faults = encode_one_by_one(feature, [value])
    np.testing.assert_array_equal(numbers, expected_numbers)
    assert {row: str(fault) for row, fault in faults.items()} == expected_faults


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: f"{feature.name}-{feature.missing}")
@pytest.mark.parametrize("seed", range(40))
def test_a_random_column_is_judged_as_its_values_are(feature, seed):
    chance = random.Random(seed)
    plain = [20, 20.0, 99, 10**6, 0.5, None] if seed % 2 else [20, 21.0, 50, 100]
    values = chance.choices(plain, k=30) + chance.sample(AWKWARD, k=seed % 4)
    chance.shuffle(values)
    numbers, faults = encode_column(feature, values)
    expected_numbers, expected_faults = encode_one_by_one(feature, values)
    np.testing.assert_array_equal(numbers, expected_numbers)
    assert {row: str(fault) for row, fault in faults.items()} == expected_faults


NASTY_CELLS = [
    *("", " ", "null", "true", "nan", "-0", " -0 ", "-0.0", "1,2", "1],[2", "]", "[1]", '"1"', "1 2", "01", ".5", "5."),
    *(
        "+5",
        " 7\t",
        "\u00a07",
        "1e2",
        "1E+2",
        "1e999",
        "9" * 400,
        "0x10",
        "1_0",
        "٤٥",
        "inf",
        "20",
        "20.5",
        "1\n2",
        "a",
    ),
    *("0.1", "1e-400", "18446744073709551616", "4.35", "\ud800", "{}", "abc"),
]


def assert_cells_are_judged_as_their_values_are(feature: Feature, cells: Sequence[str]) -> None:
    numbers, faults = encode_cells(feature, cells)
    expected_numbers, expected_faults = encode_one_by_one(feature, [feature.parse(cell) for cell in cells])
    assert numbers.tobytes() == np.array(expected_numbers, dtype=np.float64).tobytes()
    assert {row: str(fault) for row, fault in faults.items()} == expected_faults


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: f"{feature.name}-{feature.missing}")
@pytest.mark.parametrize("cell", NASTY_CELLS, ids=lambda cell: ascii(cell)[:20])
@pytest.mark.parametrize("others", [[], ["20"], ["20", ""], ["1,2", ""]], ids=repr)
def test_a_column_with_a_nasty_cell_is_judged_as_the_cells_are(feature, cell, others):
    assert_cells_are_judged_as_their_values_are(feature, [cell, *others])
    assert_cells_are_judged_as_their_values_are(feature, [*others, cell])


@given(
    feature=st.sampled_from(FEATURES),
    cells=st.lists(st.sampled_from(NASTY_CELLS) | st.integers(15, 105).map(str) | st.floats().map(repr) | st.text()),
)
def test_any_column_of_cells_is_judged_as_the_cells_are(feature, cells):
    assert_cells_are_judged_as_their_values_are(feature, cells)


@given(st.floats(-1.5, 1e6), st.integers(0, 25))
def test_a_plain_decimal_in_a_column_is_the_float_that_python_reads(number, digits):
    cells = [repr(number), f"{number:.{digits}f}", f"{number:.{digits}e}"]
    numbers, faults = encode_cells(Feature("income", "number", min=-2, max=1e7), cells)
    assert faults == {}
    assert numbers.tobytes() == np.array(list(map(float, cells))).tobytes()


def test_a_hundred_thousand_faults_hold_neither_a_frame_nor_an_object_each():
    _, faults = encode_column(NUMBER, [-2] * 100_000)
    assert len(faults) == 100_000
    assert len(set(map(id, faults.values()))) == 1
    assert faults[0].__traceback__ is None


def test_an_empty_column_has_no_faults():
    numbers, faults = encode_column(NUMBER, [])
    assert (numbers.shape, faults) == ((0,), {})


def test_an_absent_value_of_a_monitored_feature_is_unknown_and_no_fault():
    numbers, faults = encode_monitored(NUMBER, [None, 5, "x"])
    np.testing.assert_array_equal(numbers, [math.nan, 5, math.nan])
    assert {row: fault.kind for row, fault in faults.items()} == {2: "not a number"}
