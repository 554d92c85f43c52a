"""The wait for a run outlives server and worker, and says so once."""

import asyncio
from collections.abc import Sequence

import pytest

from cli.results import SIMULATED_NOTICE
from cli.waiting import follow
from orchestrator.contracts.project import Event, ProjectStatus, ProjectView
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from tests.cli.views import event, view

LOST = PrerequisiteError("Temporal does not answer")


class ScriptedRun:
    """Answers `wait_closed` by a script: a result, None for still running, or an error."""

    def __init__(self, *script: ProjectView | Exception | None) -> None:
        self.script = list(script)
        self.healed = asyncio.Event()
        self.asked_since: list[int] = []

    async def wait_closed(self, project_id: str, timeout_s: float) -> ProjectView | None:
        await self.healed.wait()
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def events(self, project_id: str, since: int) -> Sequence[Event]:
        self.asked_since.append(since)
        return [event(since + 1, f"event {since + 1}")]

    async def last_events(self, view: ProjectView, since: int) -> Sequence[Event]:
        return await self.events(view.project_id, since)

    async def view(self, project_id: str) -> ProjectView:
        return view(ProjectStatus.RUNNING)

    async def heal(self) -> None:
        self.healed.set()


class Recorded:
    """Keeps what would be shown."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.notes: list[str] = []
        self.views = 0
        self.closed = False

    def event(self, event: Event) -> None:
        self.events.append(event.text)

    def view(self, view: ProjectView) -> None:
        self.views += 1

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        self.closed = True


def test_events_are_shown_once_and_the_result_is_returned() -> None:
    shown, result = Recorded(), view()

    async def wait() -> ProjectView:
        run = ScriptedRun(None, None, result)
        found = await follow(run, "p", shown)
        assert run.asked_since == [0, 1, 2], "what happened just before the end is shown too"
        return found

    assert asyncio.run(wait()) is result
    assert shown.events == ["event 1", "event 2", "event 3"]
    assert shown.notes == [SIMULATED_NOTICE]
    assert shown.views == 3
    assert shown.closed


def test_last_events_that_cannot_be_read_do_not_hold_up_the_result() -> None:
    shown = Recorded()

    class Silent(ScriptedRun):
        async def last_events(self, view: ProjectView, since: int) -> Sequence[Event]:
            raise LOST

    assert asyncio.run(follow(Silent(view()), "p", shown)).status is ProjectStatus.SUCCESS
    assert ["orch-cli events p" in note for note in shown.notes] == [True]


def test_somebody_attends_to_every_view_before_the_wait_goes_on() -> None:
    seen: list[ProjectStatus] = []

    async def attend(view: ProjectView) -> None:
        seen.append(view.status)

    run = ScriptedRun(None, None, view())
    asyncio.run(follow(run, "p", Recorded(), attend=attend))
    assert seen == [ProjectStatus.RUNNING, ProjectStatus.RUNNING]


def test_a_lost_connection_is_said_once_and_its_return_too() -> None:
    shown = Recorded()

    async def wait() -> ProjectView:
        return await follow(ScriptedRun(LOST, LOST, OSError(), None, view()), "p", shown, simulated_said=True)

    assert asyncio.run(wait()).status is ProjectStatus.SUCCESS
    assert [note.split(";")[0] for note in shown.notes] == [
        "the run does not answer just now",
        "connected again",
    ]


def test_trouble_with_restarting_is_said_and_the_wait_goes_on() -> None:
    shown = Recorded()

    class Unhealed(ScriptedRun):
        async def heal(self) -> None:
            self.healed.set()
            raise PrerequisiteError("no binary")

    async def wait() -> ProjectView:
        return await follow(Unhealed(None, view()), "p", shown, simulated_said=True)

    assert asyncio.run(wait()).status is ProjectStatus.SUCCESS
    assert shown.notes == ["cannot restart what runs the project: no binary"]


def test_a_run_that_does_not_exist_ends_the_wait() -> None:
    shown = Recorded()

    async def wait() -> None:
        with pytest.raises(UserInputError):
            await follow(ScriptedRun(UserInputError("no such project")), "p", shown)

    asyncio.run(wait())
    assert shown.closed
