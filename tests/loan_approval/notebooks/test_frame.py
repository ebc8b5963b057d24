import base64
import hashlib
import re

from loan_approval.notebooks.frame import render_page


def policy_of(page: str) -> str:
    return re.search(r'Content-Security-Policy"\s+content="([^"]+)"', page)[1].replace("&#39;", "'")


def test_the_policy_admits_exactly_the_scripts_on_the_page() -> None:
    page = render_page("index.html.j2", ["let one = 1 < 2;"], title="Reports", folders=[])
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert "let one = 1 < 2;" in scripts  # as it stands: escaped, its hash would be another
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts}
    assert set(re.findall(r"'sha256-[^']+'", policy_of(page))) == hashes
    assert "default-src 'none'" in policy_of(page)
    assert "unsafe-eval" not in policy_of(page)


def test_what_a_page_says_is_escaped() -> None:
    page = render_page("index.html.j2", title="<b>bold</b>", folders=[])
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold" in page
