import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from loan_approval.data.sweetviz_pages import write_comparison, write_sweetviz


def test_sweetviz_pages_show_no_label_of_a_test_row(homes, tmp_path, monkeypatch):
    analysed, compared = [], []
    sweetviz = SimpleNamespace(
        FeatureConfig=lambda **_: None,
        analyze=lambda source, *_, **__: analysed.append(source[0]),
        compare=lambda *sources, **__: compared.extend(source[0] for source in sources[:2]),
        series_analyzer_numeric=SimpleNamespace(GraphNumeric=None),
    )
    monkeypatch.setitem(sys.modules, "sweetviz", sweetviz)
    monkeypatch.setattr("loan_approval.data.sweetviz_pages._write_page", lambda page, path: path)
    write_sweetviz(homes, tmp_path)
    assert [len(frame) for frame in analysed] == [np.sum(homes.splits != "test")]
    assert ["granted" in frame for frame in compared] == [False, False]


@pytest.fixture(scope="module")
def pages(homes, tmp_path_factory):
    return write_sweetviz(homes, tmp_path_factory.mktemp("reports") / "homes")


def test_two_sweetviz_pages_are_written_and_nothing_else(pages):
    assert [page.name for page in pages] == ["sweetviz_target.html", "sweetviz_train_test.html"]
    assert sorted(pages[0].parent.iterdir()) == sorted(pages)


@pytest.mark.parametrize("number", [0, 1])
def test_a_sweetviz_page_needs_no_other_file(pages, number):
    text = pages[number].read_text(encoding="utf-8")
    loaded = re.findall(
        r"""(?:<(?:script|img|iframe|source)[^>]*\ssrc|<link[^>]*\shref|url\()\s*=?\s*["']?([^"')>\s]+)""", text
    )
    assert "amount" in text
    assert [address[:60] for address in loaded if not address.startswith(("data:", "#"))] == []


def test_a_number_has_one_large_histogram(pages):
    assert {*re.findall(r'data-new_class="detail_graph-f\d+-([\w-]+)"', pages[1].read_text(encoding="utf-8"))} == {"0"}


def test_a_column_of_zeros_and_a_target_of_one_class_are_compared_too(homes, tmp_path):
    now = homes.frame.head(50).assign(amount=0.0, granted=1.0)
    page = write_comparison((homes.frame, "reference"), (now, "new"), tmp_path / "page.html", "granted")
    assert "amount" in page.read_text(encoding="utf-8")
