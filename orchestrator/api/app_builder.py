"""`AppBuilder`: from a description to a folder with an application that was started and tested."""

from pathlib import Path

from orchestrator.api.orchestrator import Orchestrator, absolute
from orchestrator.api.values import Budget, JobSpec, ProjectState
from orchestrator.artifacts.export import check_target
from orchestrator.client.spec import new_project_id, parse_app_type
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.apps import AppType, Architecture
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import OrchError, UserInputError
from orchestrator.settings import Settings, load_settings


class Assembly(Frozen):
    """The files that were written, relative to the folder."""

    files_written: tuple[str, ...] = ()


class AppBuildResult(Frozen):
    """What came of a build. `success`: all tasks are complete, and the application passed all its checks together.

    `profile` is the architecture that was followed. `errors` says why it is no success, or why nothing was written.
    """

    success: bool
    output_dir: Path
    profile: Architecture
    assembly: Assembly
    state: ProjectState
    errors: tuple[str, ...] = ()


class AppBuilder:
    """Builds applications, each within `budget`. Models, keys and the Temporal server are those of the environment."""

    def __init__(self, budget: Budget | None = None, *, settings: Settings | None = None) -> None:
        self._budget = budget or Budget()
        self._settings = settings

    async def build(
        self,
        description: str,
        criteria: str = "The app must work correctly",
        output_dir: str | Path = "",
        app_type: AppType | str | None = None,
    ) -> AppBuildResult:
        """Build an application; without `output_dir` below `results`. The type is advised where none is given.

        Raises UserInputError for what cannot be used (also a folder that holds something else), PrerequisiteError
        where Temporal or the worker is missing.
        """
        try:
            wanted = parse_app_type(app_type) if app_type else None
        except ValueError as error:
            raise UserInputError(f"app_type: {error}") from None
        settings = self._settings or load_settings()
        project_id = new_project_id(description, readable=settings.readable_ids)
        folder = absolute(output_dir or f"results/{project_id}")
        check_target(folder, project_id)
        orchestrator = Orchestrator(self._budget, settings=settings)
        job = JobSpec(
            project_description=description,
            success_criteria=criteria,
            budget=self._budget,
            project_id=project_id,
            app_type=wanted,
            advise=True,
        )
        state = await orchestrator.run_job(job)
        written, errors = await _written(orchestrator, state, folder)
        return AppBuildResult(
            success=state.status is ProjectStatus.SUCCESS and not errors,
            output_dir=folder,
            profile=state.architecture or Architecture(app_type=wanted or AppType.GENERIC),
            assembly=Assembly(files_written=written),
            state=state,
            errors=errors,
        )


async def _written(
    orchestrator: Orchestrator, state: ProjectState, folder: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files of the build in `folder`, and what went wrong."""
    errors = () if state.status is ProjectStatus.SUCCESS else (f"{state.status.value}: {state.reason}",)
    try:
        await orchestrator.export(state.project_id, folder)
    except OrchError as error:
        return (), (*errors, str(error))
    return _files_of(folder), errors


def _files_of(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
