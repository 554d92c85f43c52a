"""What the tools of others say of our files. `make deploy-check` installs them; without, these tests are skipped."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.deploy.files import ALERTS, CHART, COMPOSE, DEPLOY, DOCKERFILE, FULL_VALUES, KUBERNETES, MONITORING_VALUES
from tests.deploy.rendering import documents, header, render
from tests.deploy.tools import HOW_TO, program, schemas

ALL_VALUES = (None, FULL_VALUES, MONITORING_VALUES)


def tool(name: str) -> str:
    found = program(name)
    if not found:
        pytest.skip(f"{name} is not installed: {HOW_TO}")
    return found


def accepts(*command: str, **environment: str) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def refusal(*command: str, **environment: str) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_hadolint_accepts_the_dockerfile() -> None:
    accepts(tool("hadolint"), str(DOCKERFILE))


def test_compose_accepts_the_file_and_wants_its_passwords() -> None:
    command = [tool("docker-compose"), "--file", str(COMPOSE), "config", "--quiet"]
    accepts(*command, POSTGRES_PASSWORD="x", GRAFANA_PASSWORD="x")
    assert "set a password" in refusal(*command, POSTGRES_PASSWORD="", GRAFANA_PASSWORD="x")


def test_promtool_accepts_alerts_and_configuration() -> None:
    promtool = tool("promtool")
    accepts(promtool, "check", "rules", str(ALERTS))
    accepts(promtool, "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))
    accepts(promtool, "test", "rules", str(DEPLOY / "prometheus" / "alerts_test.yml"))


@pytest.mark.parametrize("values", ALL_VALUES, ids=["default", "full", "monitoring"])
def test_helm_accepts_the_chart(values: Path | None) -> None:
    given = ["--values", str(values)] if values else []
    accepts(tool("helm"), "lint", "--strict", "--kube-version", KUBERNETES, str(CHART), *given)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("terminationGracePeriodSeconds=600", "terminationGracePeriodSeconds"),
        ("workers.models.autoscaling.enabled=true", "workers.models.vendors"),
        ("workers.models.autoscaling.minReplicas=0", "minReplicas"),
        ("modelEnv.OPENAI_API_KEY=sk-1", "OPENAI_API_KEY"),
        ("image.tag=latest", "tag"),
        ("codec.enabled=true", "uiOrigins"),
        ("worker.tools.replicas=3", "worker"),
    ],
)
def test_helm_refuses_values_that_would_not_work(setting: str, complaint: str) -> None:
    command = [tool("helm"), "template", "orch", str(CHART), "--kube-version", KUBERNETES, "--set", setting]
    assert complaint in refusal(*command)


def test_the_kept_manifest_is_what_helm_renders() -> None:
    text = header() + render(tool("helm"))
    assert documents(text) == documents((Path(__file__).with_name("rendered.yaml")).read_text(encoding="utf-8"))


@pytest.mark.parametrize("values", ALL_VALUES, ids=["default", "full", "monitoring"])
def test_kubernetes_knows_each_object_that_the_chart_makes(values: Path | None) -> None:
    folder = schemas()
    if not folder:
        pytest.skip(f"the schemas of Kubernetes are not installed: {HOW_TO}")
    known = folder / "kubernetes" / f"v{KUBERNETES}-local-strict"
    definitions = DRAFT202012.create_resource(json.loads((known / "_definitions.json").read_text(encoding="utf-8")))
    registry: Registry[Any] = Registry().with_resource("_definitions.json", definitions)
    objects = documents(render(tool("helm"), values))
    assert objects
    for made in objects:
        validator = Draft202012Validator(_schema(folder, known, made), registry=registry)
        assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(made)] == [], made["metadata"]["name"]


def _schema(folder: Path, known: Path, made: dict[str, Any]) -> Any:
    group, _, version = made["apiVersion"].rpartition("/")
    first = group.split(".")[0]
    own = known / f"{made['kind'].lower()}-{f'{first}-' if first else ''}{version}.json"
    added = folder / f"{group}-{version}-{made['kind']}.json"
    return json.loads((own if own.exists() else added).read_text(encoding="utf-8"))
