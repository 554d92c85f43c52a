"""How a worker process is watched: its logs, its telemetry, its health."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from importlib.metadata import version

from orchestrator.contracts.names import BATCH_WORKFLOW, PIPELINE_WORKFLOW, PROJECT_WORKFLOW
from orchestrator.settings import Settings
from orchestrator.telemetry.logs import Fields, set_up_logs
from orchestrator.telemetry.opening import open_telemetry
from orchestrator.telemetry.spans import trace_id
from orchestrator.telemetry.telemetry import Telemetry
from workers.health import Health

# Variables whose values are never logged, whoever has them in a message.
_SECRET_NAMES = ("_KEY", "_KEYS", "_TOKEN", "_SECRET", "_PASSWORD", "_HEADERS")
_SEPARATORS = re.compile(r"[,:=\s]+")
_SHORTEST_PART = 16
# The kind of a run by its workflow, as the name of its id's field, and what its workflow's id begins with.
_RUNS = {
    PROJECT_WORKFLOW: ("project_id", "project-"),
    PIPELINE_WORKFLOW: ("pipeline_id", "pipeline-"),
    BATCH_WORKFLOW: ("batch_id", "batch-"),
}


def start_logs(settings: Settings) -> Callable[[Iterable[str]], None]:
    """Logs go to stderr from here on. Give the vendors' keys to what is returned as soon as they are known."""
    secrets = tuple(_secrets(settings.environment))
    hide = set_up_logs(settings.log_level, as_json=settings.observation.log_json, context=whereabouts)
    hide(secrets)
    return lambda keys: hide((*secrets, *keys))


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """Values that no log may show, and the parts of those that are lists of keys or headers."""
    for name, value in environment.items():
        if name.upper().endswith(_SECRET_NAMES) and value:
            yield value
            yield from (part for part in _SEPARATORS.split(value) if len(part) >= _SHORTEST_PART)


def whereabouts() -> Fields:
    """The run and the activity that this moment belongs to."""
    from temporalio import activity, workflow

    if activity.in_activity():
        info = activity.info()
        found: dict[str, str | int] = {"activity": info.activity_type, "attempt": info.attempt}
        if info.workflow_id and info.workflow_run_id and info.workflow_type:
            found |= _run(info.namespace, info.workflow_type, info.workflow_id, info.workflow_run_id)
        return found
    if workflow.in_workflow():
        here = workflow.info()
        return _run(here.namespace, here.workflow_type, here.workflow_id, here.run_id)
    return {}


def _run(namespace: str, workflow_type: str, workflow_id: str, run_id: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {"workflow_id": workflow_id, "run_id": run_id}
    if workflow_type in _RUNS:
        field, prefix = _RUNS[workflow_type]
        found[field] = workflow_id.removeprefix(prefix)
        found["trace_id"] = f"{trace_id(namespace, workflow_id.removeprefix(prefix)):032x}"
    return found


def worker_telemetry(settings: Settings) -> Telemetry:
    """What the worker tells itself to, by the OTEL_* variables and ORCH_HEALTH_ADDRESS."""
    # The SDK reads the process's environment, which lacks what `.env` says.
    otel = {name: value for name, value in settings.environment.items() if name.startswith("OTEL_")}
    os.environ.update(otel)
    seen = settings.observation
    return open_telemetry(otel, scraped=bool(seen.health_address), content=seen.trace_content, version=version("orch"))


@contextlib.asynccontextmanager
async def observed(settings: Settings) -> AsyncIterator[tuple[Telemetry, Health]]:
    """Telemetry and health of the worker; within the block they are served, and at its end what is left is sent."""
    telemetry, health = _telemetry(settings), Health()
    address = settings.observation.health_address
    serving: asyncio.Task[None] | None = None
    if address:
        from workers.endpoints import serve

        serving = asyncio.create_task(serve(health, telemetry, address))
    try:
        yield telemetry, health
    finally:
        await asyncio.to_thread(telemetry.close)
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def _telemetry(settings: Settings) -> Telemetry:
    """What the worker tells itself to, by the OTEL_* variables and ORCH_HEALTH_ADDRESS."""
    # The SDK reads the process's environment, which lacks what `.env` says.
    otel = {name: value for name, value in settings.environment.items() if name.startswith("OTEL_")}
    os.environ.update(otel)
    seen = settings.observation
    return open_telemetry(otel, scraped=bool(seen.health_address), content=seen.trace_content, version=version("orch"))
