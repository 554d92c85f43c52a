"""Removing what ended runs left: what others use stays, what goes on is never touched, a kill leaves a whole store."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from orchestrator.client.connection import connect
from orchestrator.client.holding import RunsNowError, held
from orchestrator.contracts.names import PROJECT_WORKFLOW, workflow_id
from orchestrator.testing.project_script import ProjectScript, ScriptedTask, wide
from tests.e2e.theatre import Theatre, project_id, said

SMALL = ProjectScript(tasks=wide(2))
SAME = ProjectScript(tasks=(ScriptedTask(id="t1", files={"same.txt": "the same in every project\n" * 50}),))


def store_of(theatre: Theatre) -> Path:
    return Path(unquote(urlsplit(theatre.installation.settings.store_url).path))


def grow_old(theatre: Theatre) -> None:
    """Everything in the store was written three days ago."""
    for path in store_of(theatre).rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 3 * 86_400,) * 2)


def ended(theatre: Theatre, *options: str) -> str:
    outcome = theatre.run("--new-project", *options)
    assert outcome.code == 0, outcome.err
    return str(outcome.object["project_id"])


def blobs(theatre: Theatre) -> int:
    return sum(path.is_file() for path in (store_of(theatre) / "blobs").rglob("*"))


def traces(theatre: Theatre, run: str) -> list[Path]:
    return [path for path in store_of(theatre).rglob("*") if run in path.parts]


def can_export(theatre: Theatre, run: str, folder: Path) -> bool:
    return theatre.ask("export", run, "--output-dir", str(folder)).code == 0


@pytest.fixture
def paused(theatre: Theatre) -> Iterator[str]:
    """A project that goes on, but waits."""
    theatre.play(SMALL.reply)
    command = theatre.begin("--new-project", "--approve", "plan")
    run = project_id(command)
    said(command, "approve")
    yield run
    theatre.ask("cancel", run)


def test_a_deleted_project_leaves_nothing_but_what_another_one_uses(theatre: Theatre, tmp_path: Path) -> None:
    theatre.play(SAME.reply)
    first, second = ended(theatre), ended(theatre)
    grow_old(theatre)
    before = blobs(theatre)
    tried = theatre.ask("delete", first, "--dry-run")
    assert tried.code == 0, tried.err
    assert traces(theatre, first)
    outcome = theatre.ask("delete", first, "--yes")
    assert outcome.code == 0, outcome.err
    assert [run["id"] for run in outcome.object["runs"]] == [first]
    assert outcome.object["bytes"] == tried.object["bytes"] > 0
    assert outcome.object["histories"] == 1
    assert blobs(theatre) == before - outcome.object["artifacts"]
    assert not traces(theatre, first)
    assert theatre.ask("status", first).code == 2
    assert can_export(theatre, second, tmp_path / "second")


def test_a_running_project_is_refused_in_one_line(theatre: Theatre, paused: str) -> None:
    outcome = theatre.ask("delete", paused, "--yes")
    assert outcome.code == 2
    assert outcome.err.strip().splitlines() == [
        f"error: project {paused} is running: cancel it first, nothing of it is removed"
    ]


def test_without_a_terminal_somebody_has_to_agree(theatre: Theatre) -> None:
    assert theatre.ask("gc", "--older-than", "0d").code == 2
    assert theatre.ask("gc", "--older-than", "soon", "--yes").code == 2


@pytest.mark.long
def test_a_collection_takes_all_that_ended_and_nothing_that_goes_on(
    theatre: Theatre, paused: str, tmp_path: Path
) -> None:
    grow_old(theatre)  # also what only the history of the waiting project names
    theatre.play(SAME.reply)
    young = ended(theatre)
    assert theatre.ask("gc", "--older-than", "30d", "--dry-run").object["runs"] == []
    outcome = theatre.ask("gc", "--older-than", "0d", "--yes")
    assert outcome.code == 0, outcome.err
    assert young in {run["id"] for run in outcome.object["runs"]}
    assert paused not in {run["id"] for run in outcome.object["runs"]}
    assert outcome.object["young_bytes"] > 0, "something runs, so what was written lately stays"
    theatre.play(SMALL.reply)
    assert theatre.ask("approve", paused).code == 0
    result = theatre.ask("watch", paused, "--output-dir", str(tmp_path / "out"))
    assert result.code == 0, result.err


@pytest.mark.long
def test_a_removal_that_is_killed_harms_nobody_else(theatre: Theatre, tmp_path: Path) -> None:
    theatre.play(SAME.reply)
    kept, gone = ended(theatre), ended(theatre)
    grow_old(theatre)
    all_of_it = len(traces(theatre, gone))
    command = theatre.command("delete", gone, "--yes")
    while len(traces(theatre, gone)) == all_of_it:
        assert command.process.poll() is None, command.err
    command.kill()
    assert can_export(theatre, kept, tmp_path / "kept")
    left = theatre.ask("delete", gone, "--yes")
    assert left.code == 2 or "is being removed by another process" in left.err, left.err


def test_no_run_starts_while_what_it_left_is_removed(theatre: Theatre) -> None:
    theatre.play(SMALL.reply)
    run = ended(theatre)

    async def scenario() -> None:
        client = await connect(theatre.installation.settings, print, start_services=False)
        async with held(client, workflow_id(run)):
            with pytest.raises(WorkflowAlreadyStartedError):
                await start_again(client, run)
            with pytest.raises(RunsNowError, match="is being removed by another process"):
                async with held(client, workflow_id(run)):
                    pass
        handle = await start_again(client, run)  # and now it is free
        with pytest.raises(RunsNowError, match="is running: nothing of it is removed"):
            async with held(client, workflow_id(run)):
                pass
        await handle.terminate()

    asyncio.run(scenario())


async def start_again(client: Client, run: str) -> WorkflowHandle[Any, Any]:
    """As a start, a schedule or a batch would do it; nobody works for it."""
    return await client.start_workflow(
        PROJECT_WORKFLOW,
        id=workflow_id(run),
        task_queue="nobody",
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
