import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from serve.store.store import Store
from tests.end_to_end.observed import observed_server
from tests.model_files import good_files
from tests.server_process import promote

DEPLOY = Path(__file__).parents[1] / "deploy"
PROMETHEUS_OWN = {"instance", "job", "le"}  # labels that Prometheus adds, and the histogram's
UNSHARED = {"process", "version", "revision", "python", "onnxruntime"}  # of the processes and of the build
PANELS = {
    "Requests by route and status", "Error share (5xx)", "Latency by route", "Decisions by label and version",
    "Approval share", "In flight and connections", "Rejected before any route", "Age of the oldest loaded model",
    "Models taken and refused", "Registry: since the last success", "Answering now",
}  # fmt: skip
ALERTS = {
    "LoanServerDown", "LoanNoModel", "LoanErrors", "LoanSlow", "LoanModelRefused", "LoanRegistryStale",
    "LoanRejectedSurge", "LoanApprovalShareJump",
}  # fmt: skip


def dashboard() -> dict:
    return json.loads((DEPLOY / "grafana-dashboard.json").read_text())


def rules() -> list[dict]:
    document = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Return every PromQL expression of dashboard and alerts."""
    targets = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return targets + [rule["expr"] for rule in rules()]


@pytest.fixture(scope="module")
def exposition(tmp_path_factory) -> Iterator[str]:
    """What a running server exposes."""
    folder = tmp_path_factory.mktemp("deploy")
    store = Store(folder / "store")
    promote(store, good_files()["loans"])
    with observed_server(folder, store.path, SERVE_SHADOW_ALIAS="challenger") as observed:
        yield observed.exposition()


def exposed_names(exposition: str) -> set[str]:
    """Return the names of all series that this text has or announces."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE):
        names |= {f"{name}_{end}" for end in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names


def test_every_metric_that_is_asked_for_is_exposed(exposition):
    asked = {name for expression in expressions() for name in re.findall(r"\bloan_\w+", expression)}
    assert len(asked) > 10
    assert asked <= exposed_names(exposition)


def test_every_metric_that_is_exposed_is_on_the_dashboard(exposition):
    shown = " ".join(target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])
    families = re.findall(r"^# TYPE (\S+)", exposition, re.MULTILINE)
    assert [name for name in families if name not in shown] == []


def test_every_label_that_is_asked_for_is_one_the_metrics_have():
    from serve.metrics.exposition import METRICS

    known = PROMETHEUS_OWN | {label for metric in METRICS for label in metric.labels} | UNSHARED
    for expression in expressions():
        grouped = ",".join(re.findall(r"\b(?:by|on|without|group_left) *\(([^)]*)\)", expression))
        matched = re.findall(r"[{,] *(\w+) *(?:=~|!~|!=|=)", expression)
        assert {*re.findall(r"\w+", grouped), *matched} <= known, expression


def test_every_expression_is_balanced():
    for expression in expressions():
        text, pairs = re.sub(r'"[^"]*"', '""', expression), {")": "(", "]": "[", "}": "{"}
        assert text.count('"') % 2 == 0
        opened: list[str] = []
        for sign in re.findall(r"[()\[\]{}]", text):
            if sign in pairs:
                assert opened, expression
                assert opened.pop() == pairs[sign], expression
            else:
                opened.append(sign)
        assert opened == [], expression


def test_the_dashboard_can_be_imported_anywhere_and_shows_what_matters():
    document = dashboard()
    panels = document["panels"]
    assert {panel["title"] for panel in panels} >= PANELS
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert [variable["name"] for variable in document["templating"]["list"]] == ["datasource", "instance"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_what_has_happened():
    assert {rule["alert"] for rule in rules()} >= ALERTS
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_the_example_configuration_scrapes_the_job_that_the_alerts_watch():
    document = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = document["scrape_configs"]
    assert f'up{{job="{job["job_name"]}"}}' in " ".join(rule["expr"] for rule in rules())
    assert all((DEPLOY / name).is_file() for name in document["rule_files"])


@pytest.fixture
def promtool() -> str:
    """Prometheus' own checker."""
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not on PATH; it comes with Debian's package prometheus")
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "prometheus-alerts.yml"),
        ("test", "rules", "prometheus-alerts-test.yml"),
    ],
)
def test_prometheus_itself_takes_configuration_rules_and_what_they_promise(promtool, arguments):
    result = subprocess.run(
        [promtool, *arguments], cwd=DEPLOY, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_itself_parses_every_query_of_the_dashboard(promtool, tmp_path):
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    filled = [query.replace("$__rate_interval", "5m").replace("$instance", ".*") for query in queries]
    records = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(filled)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": records}]}))
    command = [promtool, "check", "rules", tmp_path / "queries.yml"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_itself_finds_no_fault_in_the_exposition(promtool, exposition):
    command = [promtool, "check", "metrics"]
    result = subprocess.run(command, input=exposition, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
