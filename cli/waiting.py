"""The wait for a run as the command line shows it: it says once that simulated models do the work."""

from cli.progress import Progress
from cli.results import SIMULATED_NOTICE, is_closed
from orchestrator.client.watching import Attend, Runs, nobody
from orchestrator.client.watching import follow as follow_run
from orchestrator.contracts.project import Event, ProjectView


async def follow(
    client: Runs,
    project_id: str,
    progress: Progress,
    *,
    simulated_said: bool = False,
    attend: Attend = nobody,
    since: int = 0,
) -> ProjectView:
    """Show progress after event `since` until the run has ended; returns its result.

    Raises UserInputError where there is no such run.
    """
    shown = progress if simulated_said else _Noticing(progress)
    return await follow_run(client, project_id, shown, attend=attend, since=since)


class _Noticing:
    """Progress, and the notice as soon as it is known to be due."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said = False

    def event(self, event: Event) -> None:
        self._progress.event(event)

    def view(self, view: ProjectView) -> None:
        if view.simulated and not self._said and not is_closed(view.status):  # the result says it itself
            self._said = True
            self._progress.note(SIMULATED_NOTICE)
        self._progress.view(view)

    def note(self, text: str) -> None:
        self._progress.note(text)

    def close(self) -> None:
        self._progress.close()
