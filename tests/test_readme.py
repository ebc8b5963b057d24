"""The README is short, and says what is true: its output is the program's, its request and answer are the service's."""

import json
import re
from pathlib import Path

from loan_approval.pipeline.pipeline import next_steps
from loan_approval.project import ROOT
from serve.api.app import create_app
from serve.contract.contract import Contract
from serve.settings import Settings
from serve.store.store import Store
from tests.model_files import good_files
from tests.pages import blocks, read
from tests.server_process import promote

README = read("README.md")
RUNS = [block for page in ("README.md", "docs/tutorials/first-decision.md") for block in blocks(read(page))
        if "server stopped" in block]  # fmt: skip
BYTES = 8192


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= BYTES


def test_a_run_that_a_page_shows_ends_as_a_run_does() -> None:
    assert len(RUNS) == 2
    for shown in RUNS:
        assert shown.splitlines()[-4:] == next_steps("loans", Path("reports"), 8000)


def test_the_lines_of_a_run_are_those_that_the_program_prints() -> None:
    source = read("src/loan_approval/pipeline/pipeline.py")
    said = [re.escape(text) for text in re.findall(r'_say\(f?"(.*?)"[ )+]', source)]
    patterns = [re.sub(r"\\\{.*?\\\}", ".*", text) for text in said]
    lines = [line[11:] for shown in RUNS for line in shown.splitlines() if line.startswith("[")]
    assert len(lines) >= 10
    assert [line for line in lines if not any(re.match(pattern, line) for pattern in patterns)] == []


def test_the_request_is_the_contracts_example_and_the_answer_has_the_services_form(tmp_path: Path) -> None:
    (body,) = re.findall(r"^curl -X POST localhost:8000/api/v2/predict .*-d '(.*)'$", README, re.MULTILINE)
    (answer,) = re.findall(r"^-> (.*)$", README, re.MULTILINE)
    contract = Contract.load(ROOT / "data/loans/contract.toml")
    assert json.loads(body) == contract.example()
    store = Store(tmp_path)
    promote(store, good_files()["loans"])
    client = create_app(Settings(store=store.path, poll_seconds=3600)).test_client()
    assert client.post("/api/v2/predict", data=body, content_type="application/json").text == answer


def test_the_figures_and_ratios_of_the_readme_stand_in_the_table_of_measurements() -> None:
    measured = read("docs/explanation/performance.md")
    rows = re.findall(r"^\| .* \| ([\d,.]+) \| ([\d,.]+) \|$", README, re.MULTILINE)
    assert len(rows) == 6
    assert [row for row in rows if f"| {row[0]} | {row[1]} |" not in measured] == []
    (ours,) = re.findall(r"^\| \*\*this server\*\* \|.* / (\d+) / (\d+) \|.* / (\d+) / (\d+) \|", measured, re.M)[:1]
    words = "{} and {} times the usual design, and {} and {} times the one without a calibrator"
    assert words.format(*ours) in README


def test_what_the_server_needs_is_named() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {requirement.partition("==")[0] for requirement in extras["serve"]}
    assert {name for name in names if f"`{name}`" not in README} == set()


def test_the_readme_says_where_the_licence_would_stand() -> None:
    assert "`LICENSE`" in README
