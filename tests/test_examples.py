"""The reports that can be seen without a run are those of the notebooks as they are now, and small."""

import re
import shutil

import nbformat
import pytest

from loan_approval.data.folders import load_contract
from loan_approval.data_check.table import read_table
from loan_approval.notebooks.summary import digest_code
from loan_approval.records.reading import read_decisions
from serve.store.store import Store
from tests.model_files import good_files
from tests.notebook_runs import write_notebook
from tests.pages import DOCS, ROOT, read, script
from tests.server_process import promote

MOST_BYTES, MOST_BYTES_A_PAGE = 6_000_000, 2_000_000


@pytest.fixture(scope="module")
def examples():
    return script("examples")


@pytest.fixture(scope="module")
def pages(examples):
    return [
        examples.EXAMPLES / dataset / f"{name}.html" for dataset in examples.DATASETS for name in examples.NOTEBOOKS
    ]


def test_each_page_was_made_by_the_notebooks_code_as_it_is_now(pages):
    old = [page for page in pages if made_by(page.read_text("utf-8")) != digest_of(page.stem)]
    assert old == [], "their notebooks have changed since: `make examples`"


def made_by(page: str) -> str:
    (digest,) = re.findall(r'<meta name="notebook-code" content="(\w{64})">', page)
    return digest


def digest_of(notebook: str) -> str:
    return digest_code(nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4))


def test_every_notebook_has_its_pages_and_each_is_linked(examples, pages):
    assert set(examples.NOTEBOOKS) == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    links = set(re.findall(r'href="(reports/[^"]+)"', read("docs/examples.md")))
    assert links == {page.relative_to(DOCS / "examples").as_posix() for page in pages}
    assert {path for path in (DOCS / "examples").rglob("*") if path.is_file()} == set(pages)


def test_the_pages_are_small(pages):
    sizes = [page.stat().st_size for page in pages]
    assert max(sizes) < MOST_BYTES_A_PAGE
    assert sum(sizes) < MOST_BYTES


def test_the_pages_name_no_folder_of_the_machine_that_made_them(pages):
    folders = re.compile(r"/(tmp|root|home|work|Users)/\w")
    assert [(page.name, found[0]) for page in pages if (found := folders.search(page.read_text("utf-8")))] == []


def test_a_run_of_another_version_of_a_notebook_is_refused(examples, tmp_path):
    for dataset in examples.DATASETS:
        for name in examples.NOTEBOOKS:
            write_notebook(tmp_path / dataset / f"{name}.ipynb", "seed = 1")
    with pytest.raises(SystemExit, match=r"01_explore\.ipynb: it ran another version of 01_explore, run it again"):
        examples.render(tmp_path)
    shutil.rmtree(tmp_path / "boston")
    with pytest.raises(SystemExit, match=r"boston/01_explore\.ipynb, .*: not there"):
        examples.render(tmp_path)


def test_the_new_data_break_the_contract_in_a_few_rows(examples, tmp_path):
    path = examples.write_new_data("boston", tmp_path / "new.csv")
    table = read_table(path, load_contract(ROOT / "data/boston"))
    assert table.refused.count() == examples.BROKEN_ROWS + 1
    assert {line["rule"].split(",")[0] for line in table.refused.table()} == {"out of range", "not a number"}


def test_the_log_holds_each_test_row_once_over_all_months(examples, tmp_path):
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"])
    examples.write_log("loans", store, tmp_path / "log")
    decisions = read_decisions(tmp_path / "log").frame
    assert len(decisions) == len(examples.load_dataset("loans").rows("test")[1])
    assert decisions["time"].dt.strftime("%Y-%m").nunique() == len(examples.MONTHS)
    assert decisions["decision_id"].is_unique
