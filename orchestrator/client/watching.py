"""Following a run to its end, through restarts of server and worker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from orchestrator.contracts.project import Event, ProjectView
from orchestrator.domain.errors import PrerequisiteError, UserInputError

POLL_S = 1.0  # the end of the run is told at once; this is how often progress is asked for
HEAL_S = 1.0
_ANSWER_S = 5.0
_LOST = (PrerequisiteError, OSError, TimeoutError)

View = TypeVar("View")
ShownView = TypeVar("ShownView", contravariant=True)

Attend = Callable[[ProjectView], Awaitable[None]]
"""Called with each view of the run; the wait goes on when it returns."""


class ProgressOf(Protocol[ShownView]):
    """Where progress goes."""

    def event(self, event: Event) -> None:
        """Something happened in the run."""

    def view(self, view: ShownView) -> None:
        """The run's state, polled."""

    def note(self, text: str) -> None:
        """Something that the reader must know, about the wait and not the run."""

    def close(self) -> None:
        """No more progress: what was shown stays."""


Progress = ProgressOf[ProjectView]


class RunsOf(Protocol[View]):
    """What following a run needs of `OrchClient`, or of its `pipelines`."""

    async def wait_closed(self, run_id: str, timeout_s: float, /) -> View | None:
        """The result, None where the run is not closed within `timeout_s`."""

    async def events(self, run_id: str, since: int, /) -> Sequence[Event]:
        """Events after number `since`."""

    async def last_events(self, view: View, since: int, /) -> Sequence[Event]:
        """The same of a run that has ended, whether the server answers or not."""

    async def view(self, run_id: str, /) -> View:
        """The run as it is now."""

    async def heal(self) -> None:
        """Start again what has died."""


Runs = RunsOf[ProjectView]


async def nobody(view: object) -> None:
    """Attends to nothing."""


async def follow(
    client: RunsOf[View],
    run_id: str,
    progress: ProgressOf[View],
    *,
    attend: Callable[[View], Awaitable[None]] = nobody,
    since: int = 0,
) -> View:
    """Show progress until the run has ended; returns its result. `attend` looks after a run that waits for somebody.

    Events up to number `since` are known already.

    Server and worker are started again if they die; the wait goes on for as long as it takes.
    Raises UserInputError where there is no such run.
    """
    healer = asyncio.create_task(_keep_alive(client, progress))
    try:
        return await _Follower(client, run_id, progress, attend, since).run()
    finally:
        healer.cancel()
        progress.close()


async def ended(client: RunsOf[View], run_id: str) -> View:
    """The result of a run that nobody watches, as `follow` waits for it."""
    return await follow(client, run_id, _Silence())


class _Silence:
    """Progress that nobody sees."""

    def event(self, event: Event) -> None: ...

    def view(self, view: object) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


async def _keep_alive(client: RunsOf[View], progress: ProgressOf[View]) -> None:
    """Look after server and worker once a second; each new trouble is said once."""
    trouble = ""
    while True:
        try:
            await client.heal()
            trouble = ""
        except _LOST as error:
            if str(error) != trouble:
                trouble = str(error)
                progress.note(f"cannot restart what runs the project: {trouble}")
        await asyncio.sleep(HEAL_S)


class _Follower(Generic[View]):
    def __init__(
        self,
        client: RunsOf[View],
        run_id: str,
        progress: ProgressOf[View],
        attend: Callable[[View], Awaitable[None]],
        since: int,
    ) -> None:
        self._client = client
        self._id = run_id
        self._progress = progress
        self._attend = attend
        self._since = since
        self._lost = False

    async def run(self) -> View:
        while True:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    result = await self._client.wait_closed(self._id, POLL_S)
                if result is not None:
                    await self._last_events(result)
                    self._progress.view(result)
                    return result
                async with asyncio.timeout(_ANSWER_S):
                    view = await self._poll()
                await self._attend(view)
            except UserInputError:
                raise
            except _LOST:
                self._say_lost()
                await asyncio.sleep(POLL_S)

    async def _last_events(self, result: View) -> None:
        """What happened between the last poll and the end."""
        try:
            for event in await self._client.last_events(result, self._since):
                self._progress.event(event)
        except _LOST:
            self._progress.note(f"its last events cannot be read just now; 'orch-cli events {self._id}' shows them")

    async def _events(self) -> None:
        for event in await self._client.events(self._id, self._since):
            self._since = max(self._since, event.seq)
            self._progress.event(event)

    async def _poll(self) -> View:
        await self._events()
        view = await self._client.view(self._id)
        self._progress.view(view)
        if self._lost:
            self._lost = False
            self._progress.note("connected again")
        return view

    def _say_lost(self) -> None:
        if not self._lost:
            self._lost = True
            self._progress.note("the run does not answer just now; waiting, it goes on where it was")
