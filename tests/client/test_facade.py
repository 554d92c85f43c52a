"""The facade against a real server, with a small workflow in place of the real one."""

import asyncio
import random
import string
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

from orchestrator.artifacts.manifest import Manifest, put_files, write_manifest
from orchestrator.artifacts.publish import project_name
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.client.connection import connect
from orchestrator.client.facade import OrchClient
from orchestrator.client.plugin import OrchPlugin
from orchestrator.client.server import ServerInfo
from orchestrator.contracts import names
from orchestrator.contracts.project import Event, EventPage, ProjectSpec, ProjectStatus, ProjectView, TaskView
from orchestrator.contracts.state import ProjectInput
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.tasks import TaskType
from orchestrator.settings import Settings
from tests.cli.views import view
from tests.client.conftest import settings_at

TASKS = 450  # three pages


@workflow.defn(name=names.PROJECT_WORKFLOW)
class StubProject:
    """Waits until it is resumed, paused for good ("fail") or cancelled."""

    @workflow.init
    def __init__(self, run_input: ProjectInput) -> None:
        self.spec = run_input.spec
        self.status_now = ProjectStatus.RUNNING
        self.reason = ""

    @workflow.run
    async def run(self, run_input: ProjectInput) -> ProjectView:
        try:
            await workflow.wait_condition(lambda: bool(self.reason))
        except asyncio.CancelledError:
            self.status_now = ProjectStatus.CANCELLED
        if self.reason == "fail":
            raise UserInputError("broken on purpose")
        return self.head().model_copy(update={"tasks": tuple(self.tasks(0))})

    @workflow.signal
    def pause(self, reason: str = "", by: str = "") -> None:
        self.status_now = ProjectStatus.PAUSED
        self.reason = "fail" if reason == "fail" else ""

    @workflow.signal
    def resume(self, by: str = "") -> None:
        self.status_now, self.reason = ProjectStatus.SUCCESS, "done"

    @workflow.query(name=names.QUERY_STATUS)
    def head(self) -> ProjectView:
        return ProjectView(
            project_id=self.spec.project_id,
            workflow_id=workflow.info().workflow_id,
            status=self.status_now,
            spent_micro=5,
            uncertain_micro=0,
            reserved_micro=2,
            max_micro=self.spec.max_micro,
            quality_score=None,
            calls=1,
            elapsed_s=1.0,
            simulated=True,
            tasks_total=TASKS,
        )

    @workflow.query(name=names.QUERY_TASKS)
    def tasks(self, page: int) -> list[TaskView]:
        numbers = range(200 * page, min(TASKS, 200 * (page + 1)))
        return [TaskView(id=f"t{n}", title="x", type=TaskType.CODE_GENERATION, status="RUNNING") for n in numbers]

    @workflow.query(name=names.QUERY_EVENTS)
    def events(self, since: int) -> EventPage:
        return EventPage(events=tuple(Event(seq=n, time_s=1.0, kind="paused") for n in range(since + 1, 4)))


def spec(project_id: str, project: str = "Build it\nwith care") -> ProjectSpec:
    model = ModelSpec(id="v:m", vendor="v", model="m", context_tokens=1000, max_output_tokens=100)
    return ProjectSpec(
        project_id=project_id,
        project=project,
        criteria="works",
        max_micro=2_000_000,
        time_limit_s=60.0,
        models=(model,),
        routing={},
        simulated_routing={},
    )


@pytest.fixture
def settings(shared_server: ServerInfo, tmp_path: Path) -> Settings:
    """A user with a configured Temporal: nothing is started for them."""
    return settings_at(tmp_path / "home", TEMPORAL_ADDRESS=shared_server.address)


@asynccontextmanager
async def orchestrator(settings: Settings) -> AsyncIterator[tuple[OrchClient, Client]]:
    """The facade, and a worker with the stub."""
    client = await connect(settings, lambda line: None)
    async with Worker(client, task_queue=names.QUEUE_WORKFLOWS, workflows=[StubProject]):
        yield await OrchClient.connect(settings, lambda line: None), client


def run(settings: Settings, test: Callable[[OrchClient, Client], Awaitable[Any]]) -> Any:
    async def body() -> Any:
        async with orchestrator(settings) as (facade, client):
            return await test(facade, client)

    return asyncio.run(body())


def test_a_run_from_start_to_result(settings: Settings) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        assert await facade.start(spec("whole")) == "project-whole"
        view = await facade.view("whole")
        assert view.status is ProjectStatus.RUNNING
        assert [task.id for task in view.tasks] == [f"t{n}" for n in range(TASKS)]
        assert [event.seq for event in await facade.events("whole", 1)] == [2, 3]
        assert await facade.wait_closed("whole", 0.2) is None
        await facade.pause("whole", "lunch")
        assert (await facade.view("whole")).status is ProjectStatus.PAUSED
        await facade.resume("whole")
        result = await facade.wait_closed("whole", 20)
        assert result is not None
        assert result.status is ProjectStatus.SUCCESS
        assert await facade.view("whole") == result
        assert await facade.events("whole", 0) == await facade.last_events(result, 0) == []

    run(settings, body)


def test_the_result_of_a_closed_run_needs_no_worker(settings: Settings) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        await facade.start(spec("closed"))
        await facade.resume("closed")
        assert await facade.wait_closed("closed", 20)

    run(settings, body)

    async def without_worker() -> ProjectView:
        return await (await OrchClient.connect(settings, lambda line: None)).view("closed")

    assert asyncio.run(without_worker()).status is ProjectStatus.SUCCESS


def test_a_second_start_of_a_running_project_is_refused(settings: Settings) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        await facade.start(spec("twice"))
        with pytest.raises(UserInputError, match="twice"):
            await facade.start(spec("twice"))
        await facade.cancel("twice")
        ended = await facade.wait_closed("twice", 20)
        assert ended is not None
        assert ended.status is ProjectStatus.CANCELLED
        await facade.start(spec("twice"))

    run(settings, body)


def test_projects_that_are_not_there(settings: Settings) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        for ask in (
            facade.view("nobody"),
            facade.events("nobody", 0),
            facade.pause("nobody"),
            facade.cancel("nobody"),
            facade.wait_closed("nobody", 5),
        ):
            with pytest.raises(UserInputError, match="nobody"):
                await ask

    run(settings, body)


def test_a_broken_off_run_shows_its_last_state(settings: Settings, tmp_path: Path) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        await facade.start(spec("ended"))
        last = (await facade.view("ended")).model_copy(update={"spent_micro": 77})
        store = ArtifactStore.open(settings.store_url)
        await store.write_named(project_name("default", "ended", "view.json"), last.model_dump_json().encode())
        await client.get_workflow_handle("project-ended").terminate(reason="somebody said so")
        view = await facade.view("ended")
        assert (view.status, view.reason) == (ProjectStatus.SYSTEM_FAILURE, "somebody said so")
        assert (view.spent_micro, view.uncertain_micro, view.reserved_micro) == (77, 2, 0)
        assert {task.status for task in view.tasks} == {"PENDING"}
        with pytest.raises(UserInputError, match="published nothing"):
            await facade.export(view, tmp_path / "out")

    run(settings, body)


def test_what_an_ended_run_left_needs_no_server(settings: Settings, tmp_path: Path) -> None:
    """The server may die between the result and the export."""

    async def body() -> None:
        gone = await Client.connect("127.0.0.1:9", lazy=True)
        facade = OrchClient(settings, lambda line: None, gone)
        store = ArtifactStore.open(settings.store_url)
        manifest = await write_manifest(store, Manifest(files=await put_files(store, {"a.txt": b"text"})))
        log = [Event(seq=n, time_s=1.0, kind="paused").model_dump_json() for n in (1, 2, 3)]
        ended = view(manifest=manifest, events=await store.put("\n".join(log).encode()))
        assert [event.seq for event in await facade.last_events(ended, 1)] == [2, 3]
        await facade.export(ended, tmp_path / "out")
        assert (tmp_path / "out" / "a.txt").read_text(encoding="utf-8") == "text"

    asyncio.run(body())


def test_a_domain_error_ends_the_run_instead_of_hanging_it(settings: Settings) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        await facade.start(spec("failing"))
        await facade.pause("failing", "fail")
        view = await facade.wait_closed("failing", 20)
        assert view is not None
        assert (view.status, view.reason) == (ProjectStatus.SYSTEM_FAILURE, "broken on purpose")
        assert view.max_micro == 2_000_000

    run(settings, body)


def test_the_list_has_one_row_per_project(settings: Settings) -> None:
    async def body(facade: OrchClient, client: Client) -> None:
        for _ in range(2):
            await facade.start(spec("row"))
            await client.get_workflow_handle("project-row").terminate()
        await facade.start(spec("row"))
        while True:
            rows = [row for row in await facade.list(100) if row.project_id == "row"]
            if [row.closed_s for row in rows] == [None]:
                break
        assert (rows[0].status, rows[0].project) == ("PLANNING", "Build it")
        assert len(await facade.list(1)) == 1

    run(settings, body)


def test_large_payloads_stay_out_of_the_history_and_replay(settings: Settings) -> None:
    text = "".join(random.Random(1).choices(string.printable, k=900_000))  # hardly compresses

    async def body(facade: OrchClient, client: Client) -> None:
        await facade.start(spec("large", project=text))
        await facade.resume("large")
        assert await facade.wait_closed("large", 20)
        history = await client.get_workflow_handle("project-large").fetch_history()
        assert len(history.to_json()) < 100_000
        replayer = Replayer(workflows=[StubProject], plugins=[OrchPlugin(settings)])
        await replayer.replay_workflow(history)

    run(settings, body)


def test_a_configured_temporal_starts_nothing_and_says_that_no_worker_polls(settings: Settings) -> None:
    said: list[str] = []
    elsewhere = settings.model_copy(update={"environment": settings.environment | {"TEMPORAL_NAMESPACE": "default"}})
    asyncio.run(OrchClient.connect(elsewhere, said.append))
    assert not (settings.home / "temporal").exists()
    assert not (settings.home / "worker.json").exists()
    assert any(names.QUEUE_TOOLS in line for line in said), said


def test_a_temporal_that_is_not_there_is_one_line(settings: Settings) -> None:
    nowhere = settings_at(settings.home, TEMPORAL_ADDRESS="127.0.0.1:1")
    with pytest.raises(PrerequisiteError, match=r"127\.0\.0\.1:1") as caught:
        asyncio.run(OrchClient.connect(nowhere, lambda line: None))
    assert "\n" not in str(caught.value)


def test_a_profile_is_read_and_a_broken_file_is_not_quoted(
    settings: Settings, shared_server: ServerInfo, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f'[profile.team]\naddress = "{shared_server.address}"\n')
    environment = {"TEMPORAL_CONFIG_FILE": str(file), "TEMPORAL_PROFILE": "team"}
    client = asyncio.run(connect(settings_at(settings.home, **environment), lambda line: None))
    assert client.service_client.config.target_host == shared_server.address
    with pytest.raises(PrerequisiteError, match="other"):
        asyncio.run(
            connect(settings_at(settings.home, **environment | {"TEMPORAL_PROFILE": "other"}), lambda line: None)
        )
    file.write_text('[profile.team]\napi_key = "sk-very-secret\n')
    with pytest.raises(PrerequisiteError, match="TOML") as caught:
        asyncio.run(connect(settings_at(settings.home, **environment), lambda line: None))
    assert "secret" not in str(caught.value)
