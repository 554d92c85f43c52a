"""One sandbox for the tests, over a tool environment in the shared cache."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import load_settings
from orchestrator.validators.limits import MIB, Limits, SandboxRun
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import ToolEnvironment

SMALL = Limits(wall_s=20, cpu_s=20, memory_bytes=256 * MIB, processes=64, disk_bytes=8 * MIB, output_bytes=64 * 1024)


def tool_environment() -> ToolEnvironment:
    """The tools, built on first use; the test is skipped where no package index answers."""
    tools = ToolEnvironment(load_settings(folder=Path("/nonexistent")))
    try:
        asyncio.run(tools.ensure())
    except PrerequisiteError as error:
        pytest.skip(str(error))
    return tools


def sandbox(kind: str = "") -> Sandbox:
    """A real sandbox (or an unsafe one); the test says so and is skipped where there is none."""
    environment = {**os.environ, "ORCH_SANDBOX": kind}
    found = Sandbox.detect(load_settings(environment, Path("/nonexistent")), tool_environment())
    if not found.kind:
        pytest.skip(f"no sandbox here: {found.reason}")
    return found


def run_source(box: Sandbox, source: str, limits: Limits = SMALL, **files: bytes) -> SandboxRun:
    """Run `source` as a Python program."""
    return asyncio.run(box.run(["{python}", "main.py"], {"main.py": source.encode(), **files}, limits))


def needs_bubblewrap() -> None:
    """Skip where bubblewrap is not installed."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
