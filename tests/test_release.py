"""The changelog's newest release is the version that the project says it has."""

import re
import tomllib

import pytest

from tests.pages import read

HEADING = re.compile(r"Unreleased|\d+\.\d+\.\d+, \d{4}-\d\d-\d\d")


def check_headings(changelog: str, version: str) -> None:
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert headings, "no heading"
    assert [each for each in headings if not HEADING.fullmatch(each)] == []
    assert "Unreleased" not in headings[1:]
    releases = [each for each in headings if each != "Unreleased"]
    assert not releases or releases[0].startswith(f"{version}, ")


def test_the_newest_heading_of_the_changelog_is_the_projects_version() -> None:
    check_headings(read("CHANGELOG.md"), tomllib.loads(read("pyproject.toml"))["project"]["version"])


@pytest.mark.parametrize(
    "changelog",
    ["# Changes\n", "## 0.2.0, 2026-12-01\n", "## 0.1.0\n", "## 0.1.0, 2026-12-01\n## Unreleased\n", "## Next\n"],
)
def test_a_changelog_that_says_otherwise_is_noticed(changelog: str) -> None:
    with pytest.raises(AssertionError):
        check_headings(changelog, "0.1.0")


def test_a_release_and_what_came_after_it_are_right() -> None:
    check_headings("## Unreleased\n- a\n## 0.1.0, 2026-12-01\n- b\n", "0.1.0")
