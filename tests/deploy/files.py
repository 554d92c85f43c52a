"""The files of the deployment, and what they are compared with."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from orchestrator.settings.vendors import VENDORS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.temporal.yml"
DOCKERFILE = DEPLOY / "Dockerfile"
CHART = DEPLOY / "helm" / "orch"
FULL_VALUES = CHART / "ci" / "full-values.yaml"
MONITORING_VALUES = CHART / "ci" / "monitoring-values.yaml"
RENDERED = Path(__file__).with_name("rendered.yaml")
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
SECCOMP = DEPLOY / "seccomp" / "tool-worker.json"
KUBERNETES = "1.34.0"  # what the chart is rendered for and validated against

ROLES = ("workflows", "models", "tools")
KEYS = frozenset(name for vendor in VENDORS.values() for name in vendor.key_names)
OF_VENDORS = (
    KEYS
    | {vendor.base_url_name for vendor in VENDORS.values()}
    | {option.variable for vendor in VENDORS.values() for option in vendor.options}
)


def yaml_of(path: Path) -> Any:
    """The one document of this file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services() -> dict[str, Any]:
    """The services of the compose file, by name."""
    found: dict[str, Any] = yaml_of(COMPOSE)["services"]
    return found


def dashboards() -> dict[str, Any]:
    """The dashboards, by file name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))}


def chart_digest() -> str:
    """Of all that decides what the chart renders to; the same on every machine."""
    paths = [CHART / "Chart.yaml", CHART / "values.yaml", FULL_VALUES, *sorted((CHART / "templates").iterdir())]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
