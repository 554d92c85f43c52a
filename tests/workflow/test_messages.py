"""What a run tells while it goes on, and to whom."""

import asyncio
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client
from temporalio.worker.workflow_sandbox import SandboxRestrictions

from orchestrator.client.facade import OrchClient
from orchestrator.client.server import ServerInfo
from orchestrator.client.similar import fingerprint
from orchestrator.contracts import names
from orchestrator.contracts.project import BreakerView, BudgetView, EventPage, ProjectStatus, TaskView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.tasks import Stage, TaskSpec
from orchestrator.settings import Settings
from tests.client.conftest import settings_at
from tests.workflow.conftest import Opened
from tests.workflow.harness import POLL_S, spec
from tests.workflow.play import DOWN, Play, text_task


async def test_queries_in_the_middle_of_a_run(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    play.on(Stage.PLAN, vendor="alpha", reply=DOWN)
    gate = play.hold(Stage.CRITIQUE, "t1")
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        view = await run.view()
        tasks = await run.query(names.QUERY_TASKS, list[TaskView], 0)
        beyond = await run.query(names.QUERY_TASKS, list[TaskView], 1)
        plan = await run.query(names.QUERY_PLAN, list[TaskSpec])
        budget = await run.query(names.QUERY_BUDGET, BudgetView)
        breakers = await run.query(names.QUERY_BREAKERS, list[BreakerView])
        audit = await run.query(names.QUERY_AUDIT, list[CallRecord])
        events = (await run.query(names.QUERY_EVENTS, EventPage)).events
        later = (await run.query(names.QUERY_EVENTS, EventPage, events[2].seq)).events
        gate.open()
        await run.result()
    assert (view.status, view.tasks, view.tasks_total) == (ProjectStatus.RUNNING, (), 2)
    assert view.reserved_micro == budget.reserved_micro > 0
    assert [task.status for task in tasks] == ["RUNNING", "PENDING"]
    assert tasks[0].stage == "critique #1 gamma:one"
    assert beyond == []
    assert [(task.id, task.dependencies) for task in plan] == [("t1", ()), ("t2", ("t1",))]
    assert budget.max_micro == view.max_micro
    assert [(breaker.scope, breaker.state) for breaker in breakers] == [("alpha", "open")]
    assert breakers[0].open_until_s is not None
    assert [(record.stage, record.model, record.outcome) for record in audit] == [
        ("plan", "alpha:one", "auth"),
        ("plan", "beta:one", "answer"),
        ("generate", "beta:one", "answer"),
    ]
    assert later == events[3:]


async def test_the_web_page_shows_a_table(opened: Opened) -> None:
    play = Play(text_task("t1", title="A | <b>title</b>"))
    gate = play.hold(Stage.GENERATE)
    async with opened(play) as house:
        run = await house.start(spec())
        await gate.arrived.wait()
        metadata = await run.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        gate.open()
        await run.result()
    details = metadata.current_details
    assert "**RUNNING**" in details
    assert "| t1 A" in details
    assert "<b>" not in details


async def test_a_run_is_found_by_what_it_does(opened: Opened, settings: Settings, server: ServerInfo) -> None:
    """Through the facade, which gives the run its memo."""
    play = Play(text_task("t1"))
    project = spec(project="The first line\nand more", max_micro=2_500_000)
    shared = settings_at(settings.home, TEMPORAL_ADDRESS=server.address)
    async with opened(play) as house:
        orchestrator = await OrchClient.connect(shared, lambda line: None)
        workflow = await orchestrator.start(project)
        while (view := await orchestrator.wait_closed(project.project_id, 10)) is None:
            pass
        found = await find(house.client, f"WorkflowId = '{workflow}' AND OrchStatus = 'SUCCESS' AND OrchTasksDone = 1")
        assert view.status is ProjectStatus.SUCCESS
        assert await found.memo() == {
            names.MEMO_PROJECT: "The first line",
            names.MEMO_MAX_USD: 2.5,
            names.MEMO_FINGERPRINT: fingerprint(project.project, project.criteria),
            names.MEMO_KEYWORDS: "first line more there they",
        }
        attributes = {pair.key.name: pair.value for pair in found.typed_search_attributes}
    assert attributes["OrchPhase"] == "SUCCESS"
    assert attributes["OrchTasksTotal"] == 1
    assert attributes["OrchQuality"] == 0.95
    assert round(attributes["OrchSpentUsd"] * 1_000_000) == view.spent_micro


async def find(client: Client, query: str) -> Any:
    """The one workflow; the server's index follows a little later."""
    async with asyncio.timeout(10):
        while True:
            found = [workflow async for workflow in client.list_workflows(query)]
            if found:
                return found[0]
            await asyncio.sleep(POLL_S)


async def test_without_registered_search_attributes_none_are_written(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        run = await house.start(spec(search_attributes=False))
        assert (await run.result()).status is ProjectStatus.SUCCESS
        described = await run.handle.describe()
    assert not [pair for pair in described.typed_search_attributes if pair.key.name.startswith("Orch")]


async def test_the_workflow_keeps_to_the_sandbox_without_any_pass_through(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    ours = ("orchestrator", "workflows", "activities")
    assert not any(name.startswith(ours) for name in SandboxRestrictions.default.passthrough_modules)
    async with opened(play, plain=True) as house:
        view = await house.play(spec(continue_after_events=60))
    assert view.status is ProjectStatus.SUCCESS
