"""Earlier projects like the one that is to be started: followed, resumed, offered or named."""

import time
from dataclasses import dataclass
from pathlib import Path

from cli.console import say
from cli.dialogue import InputEndedError, ask, can_ask
from cli.finish import come_back, output_folder, present
from cli.following import Waiting, follow_to_end
from cli.resuming import carry_on
from orchestrator.artifacts.summary import SUMMARY_NAME, read_summary
from orchestrator.client.facade import OrchClient
from orchestrator.client.resuming import ResumeChanges
from orchestrator.client.similar import Similar
from orchestrator.domain.text import duration, one_line
from orchestrator.settings import Settings

_MAX_TITLE = 60


def exporter_of(folder: Path) -> str | None:
    """The project whose output lies in `folder`, None where there is none."""
    try:
        summary = read_summary((folder / SUMMARY_NAME).read_bytes())
    except OSError:
        return None
    return summary.project_id if summary else None


async def known_project(client: OrchClient, project_id: str, project: str, criteria: str) -> Similar | None:
    """The project of this id and with these texts, None where there is none. Raises UserInputError for other texts."""
    row = await client.same(project_id, project, criteria)
    if row is None:
        return None
    running = row.closed_s is None
    say(f"{project_id} exists: {'following it' if running else 'going on with it'}.")
    return Similar(
        project_id=project_id,
        status=row.status,
        running=running,
        same=True,
        overlap=1.0,
        started_s=row.started_s,
        project=row.project,
    )


@dataclass(frozen=True)
class Earlier:
    """How to go on with an earlier project: what was asked for besides its texts, and the folder if one was chosen."""

    changes: ResumeChanges
    output_dir: str | None

    async def find(self, client: OrchClient, project: str, criteria: str, *, no_input: bool) -> Similar | None:
        """The project to go on with, after saying so; None to start a new one."""
        found = await client.similar(project, criteria)
        same = sorted((one for one in found if one.same), key=lambda one: not one.running)
        if same:
            say(_why(same[0]))
            return same[0]
        if found and can_ask(no_input):
            return await _choose(found)
        if found:
            _name(found)
        return None

    async def go_on(
        self, client: OrchClient, settings: Settings, found: Similar, waiting: Waiting, *, detach: bool
    ) -> int:
        """Follow the project if it runs, resume it if it has ended; returns the exit code."""
        project_id = found.project_id
        waiting = Waiting(
            folder=output_folder(settings, project_id, self.output_dir),
            no_input=waiting.no_input,
            json_output=waiting.json_output,
            simulated_said=waiting.simulated_said,
        )
        view = await client.view(project_id)
        if not found.running:
            return await carry_on(client, settings, view, self.changes, waiting, detach=detach)
        if self.changes != ResumeChanges():
            say(f"It keeps its budget and limits; 'orch-cli budget {project_id} --max-usd USD' changes its budget.")
        if detach:
            present(view, str(waiting.folder), json_output=waiting.json_output)
            say(come_back(project_id))
            return 0
        return await follow_to_end(client, settings, project_id, waiting)


def _why(one: Similar) -> str:
    if one.running:
        return f"This project is running already: following {one.project_id}. (--new-project starts another one.)"
    return f"This project ended as {one.status}: resuming {one.project_id}. (--new-project starts afresh.)"


def _described(one: Similar) -> str:
    state = "running" if one.running else f"ended as {one.status}"
    age = duration(max(0.0, time.time() - one.started_s))
    return f"{one.project_id}  {state}, started {age} ago: {one_line(one.project, _MAX_TITLE)}"


def _name(found: list[Similar]) -> None:
    """Say which projects are similar; a new one is started."""
    say("Similar projects could be gone on with instead:")
    for one in found:
        say(f"  {_described(one)}")
        say(f"    orch-cli {'watch' if one.running else 'resume'} {one.project_id}")


async def _choose(found: list[Similar]) -> Similar | None:
    say("There are similar projects:")
    for number, one in enumerate(found, start=1):
        say(f"  [{number}] {_described(one)}")
    while True:
        try:
            answer = await ask("Go on with one of them? Its number, or [n] for a new project:")
        except InputEndedError:
            return None
        if answer.lower() in ("n", "no", "new"):
            return None
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(found):
            return found[int(answer) - 1]
