"""Alerts and dashboards ask for metrics that exist, and are what Prometheus and Grafana can load."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.files import ALERTS, DEPLOY, ROOT, dashboards, yaml_of

OBSERVABILITY = ROOT / "docs" / "observability.md"
OF_PROMETHEUS = {"up", "ALERTS"}
_METRIC = re.compile(r"\b((?:orch|temporal|gen_ai)_\w+|up)\b(?=\s*[{\[)]|\s*$|\s+offset|\s*==)")
_QUANTITIES = ("_bucket", "_sum", "_count")


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
                found[f"{name} ${variable['name']}"] = variable["definition"].split("(")[1].replace(",", " == ")
    return found


def metrics(expression: str) -> set[str]:
    """The metrics that an expression asks for, histograms by their own name."""
    found = set(_METRIC.findall(expression))
    return {next((name.removesuffix(q) for q in _QUANTITIES if name.endswith(q)), name) for name in found}


def documented() -> set[str]:
    if not OBSERVABILITY.exists():
        pytest.skip("docs/observability.md is yet to be written")
    text = OBSERVABILITY.read_text(encoding="utf-8")
    names = set(re.findall(r"`((?:orch|temporal|gen_ai)_\w+)", text))
    return {next((name.removesuffix(q) for q in _QUANTITIES if name.endswith(q)), name) for name in names}


@pytest.mark.parametrize(("where", "expression"), queries().items(), ids=list(queries()))
def test_what_is_asked_for_exists(where: str, expression: str) -> None:
    asked = metrics(expression)
    assert asked, f"{where} asks for no metric that we know"
    assert asked <= documented() | OF_PROMETHEUS


def test_every_alert_says_what_it_means_and_how_bad_it_is() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]


def test_every_alert_was_seen_firing() -> None:
    tests = (DEPLOY / "prometheus" / "alerts_test.yml").read_text(encoding="utf-8")
    assert {rule["alert"] for rule in rules()} == set(re.findall(r'alertname="(\w+)"', tests))


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
