"""While a run is followed: asking for what only a person can decide, or saying how to decide it."""

import asyncio
from contextlib import suppress

from cli.approval import Editor, ask_about_plan, how_to_approve
from cli.choosing import ask_about_suggestions, how_to_choose
from cli.console import say
from cli.dialogue import InputEndedError
from cli.progress import Progress
from cli.results import architecture_block
from orchestrator.client.facade import OrchClient
from orchestrator.contracts.project import ProjectStatus, ProjectView
from orchestrator.domain.errors import OrchError
from orchestrator.domain.text import one_line

_LOOK_S = 1.0
_SETTLE_S = 2.0
_MAX_REASON = 200


class Standby:
    """Attends to one run. With `ask` it asks on the terminal; otherwise it names the commands, once each time."""

    def __init__(self, client: OrchClient, project_id: str, progress: Progress, *, ask: bool) -> None:
        self._client = client
        self._id = project_id
        self._progress = progress
        self._ask = ask
        self._said = ""
        self._architecture_said = False

    async def __call__(self, view: ProjectView) -> None:
        """Looks at the run as it is now."""
        self.tell(view)
        match view.status:
            case ProjectStatus.WAITING_APPROVAL if self._ask:
                await self._decide(view.awaits)
            case ProjectStatus.WAITING_APPROVAL if view.awaits == "suggestions":
                self._say_once("Suggestions for the project text wait for a choice.", *how_to_choose(self._id))
            case ProjectStatus.WAITING_APPROVAL:
                self._say_once("The plan waits for approval.", *how_to_approve(self._id))
            case ProjectStatus.PAUSED:
                why = f": {one_line(view.reason, _MAX_REASON)}" if view.reason else ""
                self._say_once(
                    f"The run is paused{why}.",
                    f"go on:             orch-cli resume {self._id}",
                    f"raise the budget:  orch-cli budget {self._id} --max-usd USD",
                )
            case _:
                self._said = ""

    def tell(self, view: ProjectView) -> None:
        """The architecture of the run, once it is decided."""
        if view.architecture is not None and not self._architecture_said:
            self._architecture_said = True
            self._progress.note(architecture_block(view.architecture))

    def _say_once(self, head: str, *commands: str) -> None:
        if self._said != head:
            self._said = head
            self._progress.note("\n".join((head, *(f"  {command}" for command in commands))))

    async def _decide(self, awaits: str) -> None:
        """Ask about the suggestions or the plan, for as long as nobody else decides about it."""
        question = asyncio.create_task(self._question(awaits))
        elsewhere = asyncio.create_task(self._decided_elsewhere(awaits))
        try:
            await asyncio.wait((question, elsewhere), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((question,), timeout=_SETTLE_S)  # the decision may be this very one
            if not question.done():
                say(f"\nThe {'plan is' if awaits == 'plan' else 'suggestions are'} decided; going on.")
                return
            line = await question
            if line is None:
                await self._client.cancel(self._id)
                say("The run is being cancelled.")
            else:
                say(one_line(line, _MAX_REASON))
        except InputEndedError:
            self._ask = False
        finally:
            question.cancel()
            elsewhere.cancel()
            await asyncio.gather(question, elsewhere, return_exceptions=True)

    async def _question(self, awaits: str) -> str | None:
        """What the run says to the decision; None where the run is to be cancelled."""
        if awaits == "suggestions":
            offered = await self._client.suggestions(self._id)
            self._progress.close()  # a table that is redrawn would write over the question
            return await ask_about_suggestions(self._client, self._id, offered)
        tasks = await self._client.plan(self._id)
        self._progress.close()
        return await ask_about_plan(self._client, Editor(self._id, tasks), no="cancel the run")

    async def _decided_elsewhere(self, awaits: str) -> None:
        waits = True
        while waits:
            await asyncio.sleep(_LOOK_S)
            with suppress(OrchError):  # who follows the run looks after a server that is silent
                waits = (await self._client.view(self._id)).awaits == awaits
