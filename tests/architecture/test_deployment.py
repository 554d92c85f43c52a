"""docker-compose.temporal.yml and deploy/Dockerfile, as far as they can be checked without an engine."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from orchestrator.contracts import names
from tests.architecture.sources import PACKAGES, ROOT

COMPOSE = ROOT / "docker-compose.temporal.yml"
DOCKERFILE = ROOT / "deploy/Dockerfile"
JOBS = {"schema", "namespace"}
SERVERS = {"postgres", "temporal", "ui"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_all_parts_are_there(services: dict[str, Any]) -> None:
    assert services.keys() == JOBS | SERVERS | {"worker"}


def test_images_are_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values() if "image" in service]
    assert all(re.search(r":\d+\.\d+", image) for image in images)
    assert not any("auto-setup" in image for image in images)


def test_servers_are_checked_and_reachable_from_this_machine_only(services: dict[str, Any]) -> None:
    assert all("healthcheck" in services[name] for name in SERVERS)
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_each_part_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    for service in services.values():
        for needed, wish in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in JOBS else "service_healthy"
            assert wish["condition"] == expected


def test_secrets_come_from_the_environment(services: dict[str, Any]) -> None:
    values = {
        name: value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|PWD|KEY|TOKEN", name)
    }
    assert values
    assert all(value.startswith("${") and ":?" in value for value in values.values())


def test_all_search_attributes_are_registered(services: dict[str, Any]) -> None:
    pairs = set(re.findall(r"\b(Orch\w+)=(\w+)", services["namespace"]["command"][0]))
    expected = {(name, "Keyword") for name in names.SEARCH_KEYWORDS}
    expected |= {(name, "Double") for name in names.SEARCH_DOUBLES}
    expected |= {(name, "Int") for name in names.SEARCH_INTS}
    assert pairs == expected


def test_the_scripts_of_the_jobs_parse(services: dict[str, Any]) -> None:
    for job in JOBS:
        script = services[job]["command"][0].replace("$$", "$")
        subprocess.run(["sh", "-n", "-c", script], check=True)


def test_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    command = [docker, "compose", "-f", str(COMPOSE), "config", "--quiet"]
    subprocess.run(command, env={"POSTGRES_PASSWORD": "x"}, check=True)


def test_the_image_runs_the_worker_without_privileges() -> None:
    lines = DOCKERFILE.read_text().splitlines()
    assert lines.index("USER 10001") < lines.index('ENTRYPOINT ["orch-worker"]')
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
    assert any("bubblewrap" in line for line in lines)


def test_the_build_gets_each_package_and_nothing_secret() -> None:
    dockerfile, ignored = DOCKERFILE.read_text(), (ROOT / ".dockerignore").read_text().splitlines()
    for package in PACKAGES:
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}" in ignored
    assert "*" in ignored
    assert "!.env" not in ignored
