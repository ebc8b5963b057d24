import re

from loan_approval.pages.frame import hash_source, render_page


def policy_of(page: str) -> str:
    return re.search(r'Content-Security-Policy"\s+content="([^"]+)"', page)[1].replace("&#39;", "'")


def test_the_policy_admits_exactly_the_scripts_on_the_page() -> None:
    page = render_page("notebooks/index.html.j2", scripts=["let one = 1 < 2;"], title="Reports", folders=[])
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert "let one = 1 < 2;" in scripts  # as it stands: escaped, its hash would be another
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert set(re.findall(r"'sha256-[^']+'", policy_of(page))) == {hash_source(text) for text in (style, *scripts)}
    assert "unsafe-inline" not in policy_of(page)
    assert "default-src 'none'" in policy_of(page)
    assert "unsafe-eval" not in policy_of(page)


def test_what_a_page_says_is_escaped() -> None:
    page = render_page("notebooks/index.html.j2", title="<b>bold</b>", folders=[])
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold" in page


def test_a_percentage_stays_on_the_line_of_its_number() -> None:
    page = render_page("notebooks/index.html.j2", title="", folders=[{"name": "95 % of 5 applicants"}])
    assert "95\u00a0% of 5 applicants" in page


def test_styles_within_elements_are_admitted_only_where_a_page_asks_for_it() -> None:
    page = render_page("notebooks/index.html.j2", inline_styles=True, title="", folders=[])
    assert "style-src 'unsafe-inline';" in policy_of(page)
    assert "script-src 'none';" in policy_of(page)
