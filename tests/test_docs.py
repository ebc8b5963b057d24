"""The documentation says what is true: its commands exist, its answers are the service's, its links lead somewhere."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote

import pytest

from loan_approval.cli import make_parser
from serve.api.app import create_app
from serve.contract.feature import KEYS, Feature
from serve.metrics.exposition import METRICS
from serve.settings import VARIABLES, Settings
from serve.store.store import Store
from tests.model_files import good_files
from tests.pages import DOCS, HAND_WRITTEN, PAGES, ROOT, commands, prose, read, script
from tests.server_process import promote

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
COMMANDS = sorted({(page, command) for page in PAGES for command in commands(read(page))})
LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
SITE = pytest.mark.skipif(not (ROOT / ".venv-docs/.ready").exists(), reason="`make docs` has made no environment yet")


@pytest.fixture(scope="module")
def parts():
    return script("generated")


@pytest.fixture
def client(tmp_path):
    store = Store(tmp_path)
    promote(store, good_files()["loans"])
    return create_app(Settings(store=store.path, poll_seconds=3600)).test_client()


def test_each_test_that_a_page_names_exists():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {(page.name, name) for page in DOCS.rglob("*.md") for name in re.findall(r"`(test_\w+)`", read(page))}
    assert {page for page, _ in named} >= {"threats-of-the-front.md"}
    assert [each for each in sorted(named) if f"def {each[1]}(" not in source] == []


def test_every_make_command_is_a_target_with_variables_that_the_makefile_reads():
    named = [(page.name, found) for page, command in COMMANDS if (found := re.search(r"\bmake ([a-z-]+)(.*)", command))]
    assert {"run", "test", "train", "promote", "docs"} <= {found[1] for _, found in named}
    assert [(page, found[0]) for page, found in named if found[1] not in TARGETS] == []
    variables = {(page, name) for page, found in named for name in re.findall(r"\b([A-Z_]{2,})=", found[2])}
    assert {name for _, name in variables} >= {"VERSION", "DATASET", "FORCE"}
    assert [each for each in variables if not re.search(rf"\b{each[1]}\b", MAKEFILE)] == []


def test_every_command_of_the_program_is_one_with_its_options():
    subparsers = next(action for action in make_parser()._actions if action.choices)
    found = [(page.name, re.match(r"(?:python -m loan_approval|loan-approval) ([a-z][a-z-]*)(.*)", command))
             for page, command in COMMANDS]  # fmt: skip
    named = [(page, match) for page, match in found if match]
    assert {"init", "monitor"} <= {match[1] for _, match in named}
    for page, match in named:
        assert match[1] in subparsers.choices, page
        options = set(re.findall(r"(?<!\S)(--[a-z-]+)", match[2]))
        assert options <= set(subparsers.choices[match[1]]._option_string_actions), (page, match[0])


def test_every_module_that_a_page_runs_can_be_run():
    modules = {name for _, command in COMMANDS for name in re.findall(r"python -m (serve[\w.]*)", command)}
    assert {"serve", "serve.keys"} <= modules
    for name in modules:
        run = subprocess.run([sys.executable, "-c", f"import {name}.__main__"], cwd=ROOT, capture_output=True)
        alone = subprocess.run([sys.executable, "-c", f"import {name} as m; m.main"], cwd=ROOT, capture_output=True)
        assert 0 in (run.returncode, alone.returncode), name


def test_every_curl_command_of_a_page_is_answered(client):
    asked = 0
    for page, command in COMMANDS:
        if found := re.match(r"curl -X POST '?localhost:8000(\S+?)'? -H .* -d '(.*)'$", command):
            status = client.post(found[1], data=found[2], content_type="application/json").status_code
            assert status == (422 if '"Age":17' in found[2] else 200), page
            asked += 1
    assert asked >= 4


@pytest.mark.parametrize("page", ["docs/tutorials/first-decision.md", "docs/reference/http.md"])
def test_a_refusal_that_a_page_shows_is_the_services(page, client):
    (shown,) = re.findall(r'^(\{"error".*\})$', read(page), re.MULTILINE)
    application = {"Age": 17, "Loan_Amount": 25000, "Loan_Duration_Years": 10}
    assert client.post("/api/v2/predict", json=application).json == json.loads(shown)


def test_every_error_that_the_interface_names_is_in_the_table_of_errors():
    rows = re.findall(r"^\| ([\d, ]+) \|", read("docs/reference/http.md"), re.M)
    listed = set(re.findall(r"\b[45]\d\d\b", " ".join(rows)))
    document = json.loads((ROOT / "serve/openapi/document.json").read_text())
    operations = [each for path in document["paths"].values() for each in path.values()]
    named = {status for operation in operations for status in operation["responses"]}
    assert {status for status in named if status[0] in "45"} <= listed


def test_every_setting_of_the_server_is_in_its_table_with_its_default(parts):
    lines = re.findall(r"^\| (`.*?) \| (.*?) \|", parts.settings(), re.M)
    rows = {variable: default for names, default in lines for variable in re.findall(r"`(\w+)`", names)}
    assert {name for names in VARIABLES.values() for name in names} <= set(rows)
    assert {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_INSECURE_TLS"} <= set(rows)
    assert (rows["PORT"], rows["SERVE_IDLE_SECONDS"], rows["SERVE_SOCKET"]) == ("8000", "75", "none")
    assert "<!-- generated: settings -->" in read("docs/reference/settings.md")


def test_every_setting_that_a_page_names_is_one():
    known = {name for names in VARIABLES.values() for name in names}
    named = {(page.name, name) for page in PAGES for name in re.findall(r"`(SERVE_[A-Z_]+)[`=]", read(page))}
    assert {name for _, name in named} >= {"SERVE_PREDICTION_LOG", "SERVE_METRICS_ADDRESS"}
    assert [each for each in sorted(named) if each[1] not in known and not each[1].endswith("_")] == []


def test_every_part_that_a_page_asks_for_is_made_and_every_part_is_asked_for(parts):
    asked = {name for page in HAND_WRITTEN for name in parts.ASKED.findall(read(page))}
    assert asked == set(parts.PARTS)


def test_the_parts_name_every_command_metric_route_and_parameter(parts):
    subparsers = next(action for action in make_parser()._actions if action.choices)
    assert set(re.findall(r"^### ([\w-]+)$", parts.commands(), re.M)) == set(subparsers.choices)
    assert {f"make {name}" for name in TARGETS} == set(re.findall(r"`(make [\w-]+)`", parts.make_targets()))
    assert all(f"`{metric.name}" in parts.metrics() for metric in METRICS)
    assert "`GET /`" in parts.routes()
    assert "`review_width`" in parts.notebooks()
    assert "### Decision\n" in parts.schemas()
    assert "LoanApprovalError" in parts.errors()
    assert "`Gather`" in parts.operators()
    assert "`serve`" in parts.dependencies()


def test_what_it_takes_is_said_of_each_command_of_the_first_day():
    first = re.findall(r"^([a-z-]+):.*## \* ", MAKEFILE, re.MULTILINE)
    assert len(first) == 10
    rows = re.findall(r"^\| `make ([a-z-]+)` \| (.+) \| (.+) \|$", read("docs/reference/commands.md"), re.MULTILINE)
    assert [name for name, *_ in rows] == sorted(first, key=[name for name, *_ in rows].index)


def test_every_field_of_the_contract_has_its_meaning():
    meanings = read("docs/reference/contract.md").rpartition("<!-- generated")[2]
    cells = re.findall(r"^\| (.*?) \|", meanings, re.M)
    explained = {name for names in cells for name in re.findall(r"`(\w+)`", names)}
    assert {KEYS.get(field.name, field.name) for field in fields(Feature)} <= explained


def test_every_direct_dependency_is_in_the_table():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["project"]["optional-dependencies"] | project["dependency-groups"]
    names = {re.match(r"[a-z0-9-]+", item)[0] for group in groups.values() for item in group if isinstance(item, str)}
    names -= {"loan-approval"}  # an extra that contains another
    table = read("docs/reference/dependencies.md")
    assert {name for name in names if not re.search(rf"^\| [^|]*\b{name}\b", table, re.M)} == set()


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```", "", read(page), flags=re.M | re.S), re.M)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()) for heading in headings]
    return {text.replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file_and_to_a_heading(page):
    lost = []
    for link in LINK.findall(prose(read(page))):
        place, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        path = (page.parent / unquote(place)).resolve() if place else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(link)
    assert lost == []


def test_every_page_is_in_the_contents():
    linked = {(DOCS / link).resolve() for link in LINK.findall(read("docs/index.md"))}
    assert set(HAND_WRITTEN) - {DOCS / "index.md"} <= linked


def test_a_link_that_leads_nowhere_is_noticed(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("[gone](gone.md) and [here](page.md#nothing)")
    with pytest.raises(AssertionError, match="gone"):
        test_every_link_of_a_page_leads_to_a_file_and_to_a_heading(page)


@SITE
@pytest.mark.hard
def test_the_site_is_built_without_a_warning_loads_nothing_from_elsewhere_and_can_be_searched(tmp_path):
    make = ["make", "-o", ".venv/.ready", "-o", ".venv-docs/.ready", "docs", f"DOCS={tmp_path}"]
    built = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    loaded = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")
    styled = re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')]+)""")
    for path in tmp_path.rglob("*"):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            assert [*loaded.findall(text), *styled.findall(text)] == [], path
    index = (tmp_path / "searchindex.js").read_text(encoding="utf-8")
    assert "tutorials/own-data" in index
    module = (tmp_path / "reference/api/serve.contract.html").read_text(encoding="utf-8")
    assert "serve.contract.contract.Contract" in module


def test_pre_commit_runs_what_make_lint_runs_and_fetches_nothing():
    import yaml

    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    assert [(hook["entry"], hook["language"]) for hook in repository["hooks"]] == [("make lint", "system")]


def test_the_example_of_code_owners_names_paths_that_are_there():
    lines = [line.split()[0] for line in read(".github/CODEOWNERS.example").splitlines() if not line.startswith("#")]
    assert [path for path in lines if path != "*" and not (ROOT / path.strip("/")).is_dir()] == []


def test_code_in_a_docstring_that_runs_over_a_line_stays_one_piece_of_code(parts):
    lines = ["Coverage: `make", "bench-intervals`. A star * and a name_ are text."]
    parts.escape(lines)
    assert lines[0].endswith("``make bench-intervals``\\ . A star \\* and a name\\_ are text.")
