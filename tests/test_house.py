import ast
import re
from pathlib import Path

import pytest

from tests.pages import ROOT, script

PAGE = (ROOT / "docs/house.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^\| [^|]+\? \| `([\w/.]+)`(?:: `(\w+(?:\.\w+)?)`)? \|$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def house():
    return script("house")


def names_in(path: Path) -> set[str]:
    """Return the names defined at the top of a file, and the methods of its classes as `Class.method`."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for target in getattr(node, "targets", []):
            names.add(getattr(target, "id", ""))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        names.add(getattr(node, "name", ""))
    return names


def test_the_picture_of_the_house_is_what_the_imports_say(house):
    assert house.draw() in PAGE, "run `python docs/house.py`"


def test_every_module_has_tests_of_its_name_beside_it():
    modules = [path for path in (*ROOT.glob("serve/**/*.py"), *ROOT.glob("src/loan_approval/**/*.py"))
               if path.name not in ("__init__.py", "__main__.py")]  # fmt: skip
    names = {path: path.relative_to(ROOT).as_posix().removeprefix("src/") for path in modules}
    tests = {path: (ROOT / "tests" / names[path]).with_name(f"test_{path.name}") for path in modules}
    assert [names[path] for path in modules if not tests[path].is_file()] == []


def test_an_arrow_that_follows_from_others_is_left_out(house):
    assert house.reduce_edges({"a": {"b", "c"}, "b": {"c"}}) == {"a": {"b"}, "b": {"c"}}


def test_the_page_answers_where_a_thing_is():
    assert len(ANSWERS) >= 20


@pytest.mark.parametrize(("file", "name"), ANSWERS)
def test_what_the_page_points_at_is_there(file, name):
    assert (ROOT / file).exists()
    assert not name or name in names_in(ROOT / file)
