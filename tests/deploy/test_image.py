"""deploy/Dockerfile, as far as it can be checked without an engine."""

import re

from orchestrator.settings import load_settings
from tests.architecture.sources import PACKAGES
from tests.deploy.files import DOCKERFILE, ROOT

LINES = DOCKERFILE.read_text(encoding="utf-8").splitlines()
LAST_STAGE = LINES[max(i for i, line in enumerate(LINES) if line.startswith("FROM ")) :]


def test_bases_are_pinned_and_of_one_python() -> None:
    bases = [line.split()[1] for line in LINES if line.startswith("FROM ")]
    assert all(
        re.fullmatch(r"(python|node):\d+\.\d+\.\d+-slim-bookworm|node:\d+\.\d+\.\d+-bookworm-slim", b) for b in bases
    )
    assert len({base for base in bases if base.startswith("python")}) == 1


def test_node_is_what_the_applications_need() -> None:
    (node,) = [line for line in LINES if line.startswith("FROM node:")]
    version = [int(part) for part in node.split(":")[1].split("-")[0].split(".")]
    assert version[:2] >= [20, 19]


def test_it_runs_as_nobody_in_particular() -> None:
    users = [line for line in LAST_STAGE if line.startswith("USER ")]
    assert users == ["USER 10001"]
    assert LAST_STAGE.index("USER 10001") < LAST_STAGE.index('ENTRYPOINT ["tini", "--", "orch-cli"]')


def test_it_holds_what_checks_need_and_nothing_that_builds() -> None:
    last = "\n".join(LAST_STAGE)
    assert "bubblewrap tini" in last
    assert "--from=node" in last
    assert "pip install" not in last
    assert not re.search(r"\b(gcc|build-essential|git|curl)\b", last)
    assert any("pip uninstall" in line and "hatchling" in line for line in LINES)


def test_what_is_installed_is_locked() -> None:
    assert any("--require-hashes -r requirements.lock" in line for line in LINES)


def test_its_variables_are_understood() -> None:
    variables = dict(re.findall(r"\b([A-Z_]+)=(\S+)", " ".join(LAST_STAGE)))
    settings = load_settings({name: value for name, value in variables.items() if name != "PATH"})
    assert str(settings.home) == "/var/lib/orch"
    assert str(settings.cache_dir) == "/var/cache/orch"
    assert settings.observation.log_json
    assert settings.observation.health_address.endswith(":8080")
    assert settings.observation.metrics_address.endswith(":9464")


def test_its_health_is_checked_where_workers_answer() -> None:
    (check,) = [line for line in LAST_STAGE if "urlopen" in line]
    assert "http://127.0.0.1:8080/readyz" in check
    compile(check.split('"-c", "')[1].rsplit('"]')[0], "healthcheck", "exec")


def test_the_build_gets_each_package_and_nothing_secret() -> None:
    dockerfile, ignored = DOCKERFILE.read_text(), (ROOT / ".dockerignore").read_text().splitlines()
    for package in PACKAGES:
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}" in ignored
    assert "*" in ignored
    assert "!.env" not in ignored
