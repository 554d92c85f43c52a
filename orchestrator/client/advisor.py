"""Advice on the architecture of a project that is not built: `ArchitectureAdvisor`."""

import logging

from orchestrator.catalog import ROUTING, catalog_here
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.facade import OrchClient
from orchestrator.client.spec import ProjectRequest, build_spec, new_project_id, parse_app_type, parse_text
from orchestrator.client.watching import ended
from orchestrator.contracts.project import ProjectSpec
from orchestrator.domain.apps import AppType, Architecture, ArchitectureWishes
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.money import micro
from orchestrator.settings import Settings, load_settings

logger = logging.getLogger(__name__)

_TIME_LIMIT_S = 900.0


class ArchitectureAdvisor:
    """Asks a model for an architecture, in a run of its own that never spends more than `budget_usd`.

    Without `settings` those of the environment hold, as for the command line.
    """

    def __init__(self, settings: Settings | None = None, *, budget_usd: float = 0.5) -> None:
        self._settings = settings
        self._max_micro = micro(budget_usd)

    async def analyze(
        self, description: str, criteria: str = "", *, app_type: AppType | str | None = None
    ) -> Architecture:
        """The architecture that suits a description. `app_type` is kept where it is given.

        Raises UserInputError for texts or a type that cannot be used, PrerequisiteError where nobody advised anything.
        """
        settings = self._settings or load_settings()
        try:
            wanted = parse_app_type(app_type) if app_type else None
            text = parse_text(description)
        except ValueError as error:
            raise UserInputError(str(error)) from None
        spec = advice_spec(settings, text, criteria.strip(), app_type=wanted, max_micro=self._max_micro)
        client = await OrchClient.connect(settings, logger.info)
        await client.start(spec)
        view = await ended(client, spec.project_id)
        if view.architecture is None:
            raise PrerequisiteError(f"nobody advised an architecture: {view.reason}")
        return view.architecture


def advice_spec(
    settings: Settings, project: str, criteria: str, *, app_type: AppType | None, max_micro: int
) -> ProjectSpec:
    """The input of a run that ends after the advice."""
    return build_spec(
        ProjectRequest(
            project=project,
            criteria=criteria,
            max_micro=max_micro,
            time_limit_s=_TIME_LIMIT_S,
            concurrency=1,
            advise=True,
            advise_only=True,
            wishes=ArchitectureWishes(app_type=app_type),
        ),
        project_id=new_project_id(project, readable=settings.readable_ids),
        models=catalog_here(settings).models,
        routing=ROUTING,
        simulated_routing=SIMULATED_ROUTING,
        embedded=settings.embedded,
    )
