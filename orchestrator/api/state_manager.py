"""`StateManager`: what is kept of runs, read from Python. Runs keep themselves; nothing has to be saved."""

import logging

from orchestrator.api.states import state_of
from orchestrator.api.values import ProjectState
from orchestrator.client.facade import OrchClient
from orchestrator.client.reading import ProjectRow
from orchestrator.client.similar import Similar
from orchestrator.settings import Settings, load_settings

logger = logging.getLogger(__name__)

_LISTED = 50


class StateManager:
    """Reads the runs of the environment's Temporal. Methods raise PrerequisiteError where it is missing."""

    def __init__(self, *, settings: Settings | None = None) -> None:
        self._settings = settings

    async def list_projects(self, limit: int = _LISTED) -> list[ProjectRow]:
        """The latest run of each project, running ones first."""
        return await (await self._client()).list(limit)

    async def load_project(self, project_id: str) -> ProjectState:
        """A project as it is now. Raises UserInputError where there is none, or where it stored nothing yet."""
        client = await self._client()
        view = await client.view(project_id)
        return await state_of(client, await client.spec(project_id), view)

    async def find_resumable(self, project_description: str, success_criteria: str) -> list[Similar]:
        """Running and resumable projects with the same or similar texts, the most similar first."""
        return await (await self._client()).similar(project_description, success_criteria)

    async def _client(self) -> OrchClient:
        return await OrchClient.connect(self._settings or load_settings(), logger.info)
