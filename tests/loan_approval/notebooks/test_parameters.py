"""Which values and texts fit a notebook's parameters, and the errors for the others."""

from pathlib import Path

import pytest

from loan_approval.errors import ParameterError
from loan_approval.notebooks.parameters import check_parameters, default_parameters, parse_parameters
from tests.notebook_runs import write_notebook

PARAMETERS = """\
seed: int = 7  # which rows are drawn; a == b in a comment hides the line from papermill
rate = 0.5  # a float by its default
data = "a#b"
fast = False
limit: float | None = None
costs: dict[str, float] = {"wrong_approval": 5.0}
columns = [
    "Age",
]
share = 1  # type: float of the rows
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_notebook(tmp_path_factory.mktemp("notebooks") / "01_tiny.ipynb", PARAMETERS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sed": 1}, r"01_tiny\.ipynb: no parameter 'sed', did you mean 'seed'\?.*parameters: seed: int, rate: float"),
        ({"seed": "1"}, r"01_tiny\.ipynb: seed is '1' \(str\), expected int"),
        ({"seed": True}, r"seed is True \(bool\), expected int"),
        ({"fast": 1}, r"fast is 1 \(int\), expected bool"),
        ({"rate": None}, r"rate is None \(NoneType\), expected float"),
        ({"limit": "x"}, r"limit is 'x' \(str\), expected float \| None"),
        ({"costs": {"wrong_approval": "5"}}, r"costs is .* \(dict\), expected dict\[str, float\]"),
        ({"columns": "Age"}, r"columns is 'Age' \(str\), expected list"),
        ({"columns": [Path("x")]}, r"columns is .* \(list\), expected list"),
        ({"share": "1"}, r"share is '1' \(str\), expected float"),
        ({"sed": 1, "seed": "1"}, r"no parameter 'sed'.*; seed is '1'"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(notebook: Path, parameters: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_parameters(notebook, parameters)


def test_an_int_fits_a_float_and_none_fits_where_the_type_says_so(notebook: Path) -> None:
    check_parameters(notebook, {"rate": 1, "limit": None, "costs": {"wrong_approval": 3}, "columns": []})


def test_command_line_texts_become_values_of_the_parameters_types(notebook: Path) -> None:
    texts = {"seed": "3", "rate": "1e-3", "data": "12", "fast": "True", "limit": "null", "costs": '{"a": 1}'}

    values = parse_parameters(notebook, texts | {"columns": '["Age"]'})

    assert values == {"seed": 3, "rate": 1e-3, "data": "12", "fast": True, "limit": None} | {
        "costs": {"a": 1},
        "columns": ["Age"],
    }


@pytest.mark.parametrize("texts", [{"seed": "3.5"}, {"seed": "three"}, {"costs": '{"a": 1, "a": 2}'}, {"sed": "3"}])
def test_a_text_of_another_type_is_refused(notebook: Path, texts: dict[str, str]) -> None:
    with pytest.raises(ParameterError, match=next(iter(texts))):
        parse_parameters(notebook, texts)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("seed: Path = 1", "Path is no type"),
        ("seed: str.x = 1", "str.x is no type"),
        ("seed = = 1", "not plain Python"),
        ("x: 'int' = 1", "no parameter"),
    ],
)
def test_a_parameters_cell_that_cannot_be_checked_is_refused(tmp_path: Path, cell: str, message: str) -> None:
    notebook = write_notebook(tmp_path / "01_odd.ipynb", cell)

    with pytest.raises(ParameterError, match=message):
        check_parameters(notebook, {"seed": 1})


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ipynb").write_text("text")

    for name in ("text.ipynb", "absent.ipynb"):
        with pytest.raises(ParameterError, match=rf"{name}: can't be read"):
            check_parameters(tmp_path / name, {})


def test_defaults_are_the_literals_of_the_cell(notebook: Path) -> None:
    defaults = default_parameters(notebook)
    assert (defaults["seed"], defaults["limit"], defaults["costs"]) == (7, None, {"wrong_approval": 5.0})
