"""Summaries of executed notebooks, and the files that they become."""

from pathlib import Path

import nbformat
import pytest

from loan_approval.errors import DataError
from loan_approval.notebooks.summary import (
    FIGURE_MIME,
    HEADER_MIME,
    MOST_EARLIER,
    RESULT_MIME,
    digest_code,
    failed_page,
    published,
    read_summary,
    remove_page,
    summarize,
    write_summary,
)

HEADER = {"facts": {"version": "3"}, "tiles": [], "findings": ["good"], "gates": []}


def executed(*data: dict, **papermill: object) -> nbformat.NotebookNode:
    outputs = [nbformat.v4.new_output("display_data", data=each) for each in data]
    cells = [nbformat.v4.new_markdown_cell("## What `sells`"), nbformat.v4.new_code_cell("", outputs=outputs)]
    return nbformat.v4.new_notebook(cells=cells, metadata={"papermill": papermill})


def test_the_last_header_and_the_pictures_for_the_front_page_are_taken() -> None:
    front, other = {"alt": "ROC", "plot": None, "picture": "AAAA"}, {"alt": "scores", "plot": None}
    document = executed({HEADER_MIME: {"facts": {}}}, {HEADER_MIME: HEADER}, {FIGURE_MIME: front}, {FIGURE_MIME: other})

    summary = summarize(document, "02_train")

    assert summary == {
        **HEADER,
        "title": "What sells",
        "pictures": [{"alt": "ROC", "picture": "AAAA"}],
        "unfinished": "",
    }


def test_without_a_header_the_parameters_make_one() -> None:
    parameters = {"default_parameters": {"dataset": "loans"}, "parameters": {"dataset": "/data/other"}}
    document = executed({}, **parameters, end_time="2026-11-01T10:00:00.123456+00:00")

    summary = summarize(document, "04_monitor")

    facts = {"dataset": "other", "time": "2026-11-01 10:00 UTC"}
    assert {key: summary["facts"][key] for key in facts} == facts


def test_a_run_that_stopped_does_not_claim_what_its_header_said() -> None:
    assert summarize(executed({HEADER_MIME: HEADER}), "02", "cell 3 of 4")["facts"].get("version") is None


def test_a_summary_remembers_earlier_runs_but_not_for_ever(tmp_path: Path) -> None:
    page = tmp_path / "02_train.html"
    for number in range(MOST_EARLIER + 3):
        write_summary({"facts": {"version": str(number), "dataset": "loans"}}, page)

    earlier = read_summary(page)["earlier"]

    assert earlier[0] == {"version": str(MOST_EARLIER + 1)}
    assert len(earlier) == MOST_EARLIER


@pytest.mark.parametrize("text", [None, "", "[1]", '{"facts"'])
def test_a_summary_that_cannot_be_read_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "x.summary.json").write_text(text)
    assert read_summary(tmp_path / "x.html") == {}


def test_a_page_is_removed_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    page = failed_page(tmp_path / "02_train.html")
    assert page.name == "02_train.failed.html"
    for name in ("02_train.html", page.name, "02_train.failed.ipynb", "02_train.failed.summary.json"):
        (tmp_path / name).touch()

    remove_page(page)
    remove_page(page)

    assert [path.name for path in tmp_path.iterdir()] == ["02_train.html"]


def test_what_was_published_last_counts() -> None:
    assert published(executed({RESULT_MIME: {"a": 1}}, {RESULT_MIME: {"a": 2}}), Path("x")) == {"a": 2}


def test_a_notebook_without_a_result_is_refused() -> None:
    with pytest.raises(DataError, match=r"01_silent\.ipynb: no result"):
        published(executed(), Path("01_silent.ipynb"))


def test_the_digest_of_the_code_changes_with_the_code_and_with_nothing_else() -> None:
    def digest(*cells: nbformat.NotebookNode) -> str:
        return digest_code(nbformat.v4.new_notebook(cells=list(cells)))

    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    given = code("seed = 8", metadata={"tags": ["injected-parameters"]})
    output = nbformat.v4.new_output("stream", text="7")
    assert digest(code("seed = 7")) == digest(text("# Title"), code("seed = 7", outputs=[output]), given)
    assert digest(code("seed = 7")) != digest(code("seed = 8"))
    assert digest(code("a"), code("b")) != digest(code("b"), code("a"))
