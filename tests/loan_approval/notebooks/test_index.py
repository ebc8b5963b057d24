"""The front page: read as HTML, from pages and summaries that lie in a folder."""

import os
import re
from pathlib import Path

import pytest

from loan_approval.notebooks.index import write_index
from loan_approval.notebooks.summary import write_summary


def write_page(path: Path, made: int = 1_700_000_000, **summary: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (made, made))
    if summary:
        write_summary(summary, path)


def links(page: str) -> list[str]:
    return re.findall(r'<li><a href="([^"]*)"', page)


def test_pages_stand_by_folder_in_the_order_of_the_work(tmp_path: Path) -> None:
    names = ("sweetviz_target", "04_monitor", "card", "03_validate", "02_train", "05_check_data", "01_explore")
    for name in names:
        write_page(tmp_path / "loans" / f"{name}.html")
    write_page(tmp_path / "boston" / "01_explore.html", 1_750_000_000)
    write_page(tmp_path / "overview.html")
    write_page(tmp_path / "loans" / ".half.html.1a2b.html")

    page = write_index(tmp_path).read_text()

    steps = ("01_explore", "05_check_data", "02_train", "03_validate", "card", "04_monitor", "sweetviz_target")
    assert links(page) == ["overview.html", "boston/01_explore.html", *(f"loans/{step}.html" for step in steps)]
    assert re.findall(r"<h2>(.*)</h2>", page) == ["boston", "loans"]
    assert "2023-11-14 22:13 UTC" in page
    assert write_index(tmp_path).read_text() == page


def test_names_and_findings_are_escaped(tmp_path: Path) -> None:
    write_page(tmp_path / "a&b" / "<i>{x}:#1?.html", findings=["<b>bold</b>"], title="<u>")

    page = write_index(tmp_path).read_text()

    assert '<a href="a%26b/%3Ci%3E%7Bx%7D%3A%231%3F.html">&lt;i&gt;{x}:#1?</a>' in page
    assert "<h2>a&amp;b</h2>" in page
    assert "<b>bold" not in page
    assert "<u>" not in page


def test_an_index_of_nothing_says_so(tmp_path: Path) -> None:
    assert "no reports yet" in write_index(tmp_path / "reports").read_text()


def test_a_card_shows_what_validation_found_and_who_promoted(tmp_path: Path) -> None:
    facts = {"dataset": "loans", "version": "3", "verdict": "passed", "time": "2026-11-01 10:00 UTC"}
    tiles = [{"name": "AUC, test rows", "value": "0.874", "note": "95 % interval 0.863 to 0.885"}]
    pictures = [{"alt": f"figure {number}", "picture": "AAAA"} for number in range(3)]
    summary = {"facts": facts, "tiles": tiles, "gates": [], "pictures": pictures, "findings": ["It errs most there."]}
    write_page(tmp_path / "loans/03_validate.html", **summary)
    standing = "Version 3: In production by the record: promote at 2026-11-01T11:00 by ana."
    history = [{"at": "2026-11-01T11:00", "event": "promote", "version": "3", "by": "ana", "reason": "–"}]
    write_page(tmp_path / "loans/card.html", facts=facts, standing=standing, history=history)

    page = write_index(tmp_path).read_text()

    assert all(text in page for text in ("✓ passed", "0.874", "0.863 to 0.885", standing, "It errs most there."))
    assert re.findall(r'<img alt="([^"]*)"', page) == ["figure 0", "figure 1"]
    assert "<td>ana</td>" in page


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_page_about_another_version_than_the_cards_is_marked(tmp_path: Path, version: str) -> None:
    write_page(tmp_path / "loans/02_train.html", facts={"version": version})
    write_page(tmp_path / "loans/card.html", facts={"version": "3"})

    page = write_index(tmp_path).read_text()

    assert ("about version 4, not 3" in page) == (version == "4")


def test_a_run_that_did_not_finish_is_marked_and_the_last_good_page_stays(tmp_path: Path) -> None:
    write_page(tmp_path / "loans/02_train.html", facts={"version": "3"})
    write_page(tmp_path / "loans/02_train.failed.html", facts={}, unfinished="cell 4 of 9")

    page = write_index(tmp_path).read_text()

    assert links(page) == ["loans/02_train.failed.html", "loans/02_train.html"]
    assert page.count("did not finish: cell 4 of 9") == 1


def test_earlier_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        facts = {"time": f"2026-11-0{day} 10:00 UTC", "model": f"model {day}", "verdict": "failed"}
        write_page(tmp_path / "loans/02_train.html", facts=facts, tiles=[], findings=[])

    page = write_index(tmp_path).read_text()

    assert re.findall(r"2026-11-0\d 10:00 UTC: 02_train, model (\d), failed", page) == ["2", "1"]


def test_a_damaged_summary_costs_no_more_than_itself(tmp_path: Path) -> None:
    write_page(tmp_path / "loans/02_train.html")
    (tmp_path / "loans/02_train.summary.json").write_text('{"facts": ')

    assert links(write_index(tmp_path).read_text()) == ["loans/02_train.html"]
