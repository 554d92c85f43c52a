"""Asks simulated models as a run would, for the tests of them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.domain.answers import Critique, Evaluation, PlannedTask
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import ModelAnswer, ModelRequest
from orchestrator.providers.simulated import open_simulated
from orchestrator.providers.simulated.fences import read_files, write_files
from orchestrator.settings import SimulationSettings

RATE_LIMITER = "Implement a Python rate limiter using decorators"
TODO = "Write a command-line todo app"
CSV = "Build a tool that reads a CSV file and writes a report"
GENERIC = "Predict the weather on Mars"
REQUESTS = (RATE_LIMITER, TODO, CSV, GENERIC)

Files = Mapping[str, str]


def quick(seed: int = 0, defect_rate: float = 0.5, error_rate: float = 0.0) -> SimulationSettings:
    return SimulationSettings(seed=seed, latency_ms=0, defect_rate=defect_rate, error_rate=error_rate)


def ask(
    model: str, stage: Stage, sections: Mapping[str, str], settings: SimulationSettings, max_tokens: int = 8192
) -> ModelAnswer:
    """One answer of `vendor:model`; the prompt is made of the sections."""
    vendor, _, name = model.partition(":")
    request = ModelRequest(
        model=name,
        system="system",
        prompt="\n".join(f"{key}: {text}" for key, text in sections.items()),
        max_tokens=max_tokens,
        json_schema={},
        stage=stage,
        sections=dict(sections),
    )
    return asyncio.run(open_simulated(vendor, settings).complete(request, lambda text: None))


def task_section(files: Sequence[str], task_id: str = "t1") -> str:
    return json.dumps({"id": task_id, "title": "T", "type": "code_generation", "files": list(files), "prompt": "P"})


def sections_of(project: str, task: PlannedTask, draft: Files | None = None, attempts: str = "") -> dict[str, str]:
    found = {"project": project, "task": task_section(task.files, task.id)}
    if draft is not None:
        found["draft"] = write_files(dict(draft))
    if attempts:
        found["attempts"] = attempts
    return found


def drafted(model: str, stage: Stage, sections: Mapping[str, str], settings: SimulationSettings) -> dict[str, str]:
    return read_files(ask(model, stage, sections, settings).text)


def criticised(model: str, sections: Mapping[str, str], settings: SimulationSettings) -> Critique:
    return Critique.model_validate_json(ask(model, Stage.CRITIQUE, sections, settings).text)


def judged(model: str, sections: Mapping[str, str], settings: SimulationSettings) -> Evaluation:
    return Evaluation.model_validate_json(ask(model, Stage.EVALUATE, sections, settings).text)


def lay_out(folder: Path, files: Files) -> Path:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    return folder


# One process imports pytest, and a fork of it runs each folder: starting pytest takes longer than the tests.
_RUN_EACH = """
import os, sys, pytest
for folder in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--rootdir", folder])
        sys.stdout.flush()
        os._exit(code)
    print("EXIT", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run_pytest(*folders: Path) -> list[int]:
    """The exit code of plain pytest in each folder."""
    command = [sys.executable, "-c", _RUN_EACH, *map(str, folders)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=environment)
    sys.stdout.write(result.stdout)
    lines = result.stdout.splitlines()
    return [int(line.removeprefix("EXIT ")) for line in lines if line.startswith("EXIT ")]
