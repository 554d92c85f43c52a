"""Alerts and dashboards ask for metrics that exist, and are what Prometheus and Grafana can load."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from orchestrator.telemetry.instruments import INSTRUMENTS, label_name
from tests.deploy.files import ALERTS, DEPLOY, ROOT, dashboards, yaml_of

# What Prometheus and Temporal's SDK put on what they measure.
OF_PROMETHEUS = {"le", "instance", "job"}
OF_THE_SDK = {"namespace", "operation", "service_name", "task_queue"} | {
    f"{kind}_type" for kind in ("activity", "poller", "worker", "workflow")
}
# As workers show them at ORCH_METRICS_ADDRESS. The SDK gives no list of them.
SEEN = {
    f"temporal_{name}"
    for name in (
        "activity_execution_failed_total",
        "activity_execution_latency_seconds",
        "activity_schedule_to_start_latency_seconds",
        "num_pollers",
        "request_failure_total",
        "request_latency_seconds",
        "sticky_cache_hit_total",
        "sticky_cache_miss_total",
        "sticky_cache_size",
        "worker_task_slots_available",
        "worker_task_slots_used",
        "workflow_task_execution_failed_total",
        "workflow_task_execution_latency_seconds",
        "workflow_task_schedule_to_start_latency_seconds",
    )
}
_METRIC = re.compile(r"\b(?:orch|temporal|gen_ai)_\w+")
_QUANTITIES = re.compile(r"_(bucket|sum|count)$")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_SELECTED = re.compile(r"\{([^}]*)\}")
_MATCHED = re.compile(r"(\w+)\s*[=!]")
_UNITS = re.compile(r"(_total|_seconds)$")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml_of(ALERTS)["groups"] for rule in group["rules"]]


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            yield f"{name} {panel['title']}", panel


def queries() -> dict[str, str]:
    """All expressions, by where they stand."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    found |= {
        f"{where} {target['refId']}": target["expr"] for where, panel in panels() for target in panel.get("targets", ())
    }
    for name, dashboard in dashboards().items():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found[f"{name} ${variable['name']}"] = variable["definition"]
    return found


def metrics(expression: str) -> set[str]:
    """The metrics that an expression asks for, histograms by the name of their family."""
    outside = _SELECTED.sub("", _GROUPED.sub("", expression))
    return {_QUANTITIES.sub("", name) for name in _METRIC.findall(outside)}


def labels(expression: str) -> set[str]:
    """The labels that it selects or groups by."""
    grouped = {label.strip() for found in _GROUPED.findall(expression) for label in found.split(",")}
    return grouped | {label for found in _SELECTED.findall(expression) for label in _MATCHED.findall(found)}


def test_the_sdk_still_has_its_metrics() -> None:
    found = find_spec("temporalio.bridge.temporal_sdk_bridge")
    assert found
    assert found.origin
    core = Path(found.origin).read_bytes()  # holds their names without prefix and unit
    assert [name for name in SEEN if _UNITS.sub("", name.removeprefix("temporal_")).encode() not in core] == []


@pytest.mark.parametrize(("where", "expression"), queries().items(), ids=list(queries()))
def test_what_is_asked_for_exists(where: str, expression: str) -> None:
    ours = {one.prometheus_name: set(map(label_name, one.labels)) for one in INSTRUMENTS}
    known = set(OF_PROMETHEUS)
    for metric in (asked := metrics(expression)):
        if metric.startswith("temporal_"):
            assert metric in SEEN
            known |= OF_THE_SDK
        else:
            known |= ours[metric]
    assert asked or "up" in expression, f"{where} asks for no metric"
    assert labels(expression) <= known


def test_every_alert_says_what_it_means_and_how_bad_it_is() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]


def test_every_alert_was_seen_firing() -> None:
    tests = (DEPLOY / "prometheus" / "alerts_test.yml").read_text(encoding="utf-8")
    assert {rule["alert"] for rule in rules()} == set(re.findall(r'alertname="(\w+)"', tests))


def test_the_guide_says_what_to_do_at_every_alert() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    table = guide.split("## Alerts")[1].split("\n## ")[0]
    assert {rule["alert"] for rule in rules()} == set(re.findall(r"`((?:Orch|Temporal)[A-Z]\w+)`", table))


def test_dashboards_can_be_loaded_side_by_side() -> None:
    boards = dashboards()
    assert len({board["uid"] for board in boards.values()}) == len(boards) >= 2
    for board in boards.values():
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            grid = panel["gridPos"]
            cells = {
                (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
            }
            assert max(x for x, _ in cells) < 24
            assert not cells & taken, f"{panel['title']} covers another panel"
            taken |= cells


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    sources = {source["type"] for source in yaml_of(provisioning / "datasources" / "orch.yaml")["datasources"]}
    asked = {variable["query"] for board in dashboards().values() for variable in board["templating"]["list"][:1]}
    assert asked <= sources
    (provider,) = yaml_of(provisioning / "dashboards" / "orch.yaml")["providers"]
    mounts = yaml_of(ROOT / "docker-compose.temporal.yml")["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts
