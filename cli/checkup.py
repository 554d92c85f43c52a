"""The work of `doctor`: each check looks and changes nothing."""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from cli.console import show, show_json
from cli.session import settings_for
from orchestrator.client.binary import CLI_VERSION, server_version
from orchestrator.client.server import server_info
from orchestrator.client.worker_process import worker_info
from orchestrator.settings import Settings
from orchestrator.settings.encryption import ENCRYPTION_KEYS

Verdict = Literal["ok", "note", "missing"]

_COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}
_MIN_FREE_BYTES = 1_000_000_000
_PROBE_S = 10.0
_SANDBOX_PROBE = (
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
)
_ROOTS = ("orchestrator", "workflows", "activities", "workers", "cli")


class Check(NamedTuple):
    """One line of the report. Only `missing` keeps a project from running; `fix` says what to do."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


def show_checks(*, json_output: bool, profile: str | None) -> int:
    """Show all checks; 0 if a project can be run here, 1 otherwise."""
    checks = list(_checks(settings_for(profile)))
    ready = all(check.verdict != "missing" for check in checks)
    if json_output:
        show_json({"ready": ready, "checks": [check._asdict() for check in checks]})
        return 0 if ready else 1
    width = max(len(check.name) for check in checks)
    for check in checks:
        verdict = typer.style(check.verdict.ljust(7), fg=_COLOURS[check.verdict])
        show(f"{verdict}  {check.name.ljust(width)}  {check.detail}")
        if check.fix:
            show(f"{' ' * (width + 11)}-> {check.fix}")
    show("\nReady." if ready else "\nNot ready: see what is missing above.")
    return 0 if ready else 1


def _checks(settings: Settings) -> Iterator[Check]:
    yield _python()
    yield _packages()
    yield from _temporal(settings)
    yield _sandbox(settings)
    yield _tools(settings)
    yield from _folders(settings)
    yield _encryption(settings)
    yield from _keys(settings)


def _python() -> Check:
    # Older versions do not get this far: the package refuses to install on them.
    return Check("python", "ok", f"{platform.python_version()} ({sys.executable})")


def _packages() -> Check:
    """All our packages lie in one place: another distribution may own a name such as `workflows`."""
    from importlib.util import find_spec

    parents: set[str] = set()
    for root in _ROOTS:
        spec = find_spec(root)
        parents.add(str(Path(spec.origin).parent.parent) if spec and spec.origin else f"(no {root})")
    if len(parents) == 1:
        return Check("packages", "ok", parents.pop())
    return Check(
        "packages",
        "missing",
        f"mixed: {', '.join(sorted(parents))}",
        "install into a virtual environment of its own",
    )


def _temporal(settings: Settings) -> Iterator[Check]:
    if not settings.embedded:
        from orchestrator.client.cluster_check import check_cluster

        for found in asyncio.run(check_cluster(settings)):
            yield Check(found.name, found.verdict, found.detail, found.fix)
        return
    yield _binary(settings)
    server = server_info(settings)
    detail = f"{server.address}, Web UI {server.ui_url} (pid {server.pid})" if server else "not running"
    yield Check("server", "ok", detail if server else f"{detail}; starts by itself")
    worker = worker_info(settings)
    yield Check("worker", "ok", f"running (pid {worker.pid})" if worker else "not running; starts by itself")


def _binary(settings: Settings) -> Check:
    cached = settings.cache_dir / "temporal" / CLI_VERSION / "temporal"
    on_path = shutil.which("temporal", path=settings.environment.get("PATH"))
    for candidate in (settings.temporal_bin, on_path, str(cached)):
        version = server_version(Path(candidate).expanduser()) if candidate else None
        if version:
            return Check("temporal binary", "ok", f"{candidate} (server {version})")
        if candidate and candidate == settings.temporal_bin:
            return Check(
                "temporal binary",
                "missing",
                f"ORCH_TEMPORAL_BIN={candidate} is no Temporal CLI that runs here",
                "correct it or unset it",
            )
    return Check(
        "temporal binary",
        "note",
        "not here yet; the first start downloads it, or builds it with Go",
        "offline: install the Temporal CLI on PATH, or set ORCH_TEMPORAL_BIN",
    )


def _sandbox(settings: Settings) -> Check:
    if settings.sandbox == "unsafe":
        return Check(
            "sandbox",
            "note",
            "off: generated code runs unprotected (ORCH_SANDBOX=unsafe)",
            "unset ORCH_SANDBOX",
        )
    program = shutil.which("bwrap", path=settings.environment.get("PATH"))
    consequence = "generated code is not run, so tasks end at best DEGRADED"
    if not program:
        return Check(
            "sandbox",
            "note",
            f"bubblewrap is missing: {consequence}",
            "install it, such as 'apt install bubblewrap'",
        )
    try:
        done = subprocess.run(
            [program, *_SANDBOX_PROBE, "true"], capture_output=True, text=True, timeout=_PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("sandbox", "note", f"{program} cannot be run ({type(error).__name__}): {consequence}")
    if done.returncode == 0:
        return Check("sandbox", "ok", f"{program} works")
    reason = (done.stderr.strip().splitlines() or ["no output"])[-1][:160]
    return Check(
        "sandbox",
        "note",
        f"{program} does not work here ({reason}): {consequence}",
        "allow unprivileged user namespaces, or run as root",
    )


def _tools(settings: Settings) -> Check:
    folder = settings.cache_dir / "tools"
    if any(folder.glob("*/bin/python")):
        return Check("check tools", "ok", f"pytest and ruff in {folder}")
    return Check("check tools", "ok", "not here yet; the first run installs pytest and ruff from the package index")


def _folders(settings: Settings) -> Iterator[Check]:
    yield _writable("state", settings.home, "set ORCH_HOME to a folder of yours")
    yield _writable("cache", settings.cache_dir, "set ORCHESTRATOR_CACHE_DIR to a folder of yours")
    yield from _store(settings)
    free = shutil.disk_usage(_existing(settings.home)).free
    detail = f"{free / 1e9:.1f} GB free at {settings.home}"
    if free < _MIN_FREE_BYTES:
        yield Check("disk", "missing", detail, "free some space: at least 1 GB is needed")
    else:
        yield Check("disk", "ok", detail)


def _store(settings: Settings) -> Iterator[Check]:
    local = settings.store_url.startswith("file:")
    if local and settings.embedded:
        yield Check("artifacts", "ok", settings.store_url)
        return
    from orchestrator.client.cluster_check import check_store

    for found in asyncio.run(check_store(settings)):
        yield Check(found.name, found.verdict, found.detail, found.fix)
    if local:
        detail = f"{settings.store_url}: only machines that share this folder can work and export"
        yield Check(
            "shared store", "note", detail, "set ORCH_ARTIFACTS_URL to s3://, gs:// or az://, or share the folder"
        )


def _encryption(settings: Settings) -> Check:
    ids = settings.encryption.ids
    if ids:
        others = f"; also opens what {', '.join(ids[1:])} sealed" if ids[1:] else ""
        return Check("encryption", "ok", f"seals with key {ids[0]}{others}")
    if settings.embedded:
        return Check("encryption", "ok", "off")
    readable = "off: who reads Temporal's database or the store reads your projects"
    return Check("encryption", "note", readable, f"set {ENCRYPTION_KEYS} everywhere (docs/security.md)")


def _writable(name: str, folder: Path, fix: str) -> Check:
    parent = _existing(folder)
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return Check(name, "ok", str(folder))
    return Check(name, "missing", f"{folder} cannot be written", fix)


def _existing(folder: Path) -> Path:
    """The folder, or its nearest ancestor that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _keys(settings: Settings) -> Iterator[Check]:
    """Whether a key is there, never what it is."""
    for vendor in settings.definitions:
        if vendor in settings.vendors:
            models = ", ".join(settings.vendors[vendor].models)
            yield Check(f"vendor {vendor}", "ok", f"usable: {models}" if models else "usable")
        else:
            yield Check(f"vendor {vendor}", "note", settings.unusable[vendor])
    if settings.embedded and not settings.vendors:
        yield Check("models", "note", "no key at all: runs use the built-in simulated models, which are free")
