"""A project begins, or an earlier one like it goes on; then it is followed to its end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.attach import Earlier, known_project
from cli.console import say
from cli.finish import come_back, present
from cli.following import Waiting, follow_to_end
from cli.results import SIMULATED_NOTICE
from cli.resuming import first_view
from orchestrator.artifacts.export import check_target
from orchestrator.client.facade import OrchClient
from orchestrator.client.run_records import RunRecord, save_record
from orchestrator.client.similar import Similar
from orchestrator.contracts.names import workflow_id
from orchestrator.contracts.project import ProjectSpec, ProjectStatus, ProjectView
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Beginning:
    """A checked start: the run's input, the user's own files, where the output goes; `named`: the user chose the id."""

    spec: ProjectSpec
    files: Mapping[str, bytes]
    settings: Settings
    folder: Path
    named: bool
    no_input: bool
    json_output: bool
    detach: bool

    async def run(self, earlier: Earlier | None) -> int:
        """Start the project, or go on with an `earlier` one like it where there is one; returns the exit code."""
        simulated = self.settings.embedded and not self.settings.vendors
        if simulated:
            say(f"No key is configured, so {SIMULATED_NOTICE}.")
        client = await OrchClient.connect(self.settings, say)
        waiting = Waiting(
            folder=self.folder,
            no_input=self.no_input,
            json_output=self.json_output,
            simulated_said=simulated,
        )
        texts = self.spec.project_id, self.spec.project, self.spec.criteria
        known = await known_project(client, *texts) if self.named else None
        if known is not None and earlier is None:
            raise UserInputError(f"--new-project: {known.project_id} exists already; give another --project-id")
        if earlier is not None:
            found = known or await self._like_it(earlier, client)
            if found is not None:
                return await earlier.go_on(client, self.settings, found, waiting, detach=self.detach)
            check_target(self.folder, self.spec.project_id)
        await self._begin(client)
        if self.detach:
            view = await first_view(client, _unseen(self.spec))
            present(view, str(self.folder), json_output=waiting.json_output)
            say(come_back(self.spec.project_id))
            return 0
        return await follow_to_end(client, self.settings, self.spec.project_id, waiting)

    async def _like_it(self, earlier: Earlier, client: OrchClient) -> Similar | None:
        if self.named:
            return None  # this id is what the user wants
        return await earlier.find(client, self.spec.project, self.spec.criteria, no_input=self.no_input)

    async def _begin(self, client: OrchClient) -> None:
        project_id = self.spec.project_id
        save_record(self.settings.home, RunRecord(project_id=project_id, output_dir=str(self.folder)))
        try:
            await client.start(self.spec, self.files)
        except asyncio.CancelledError:
            say(f"\nInterrupted at the start; 'orch-cli status {project_id}' tells whether the run began.")
            raise
        say(f"Started {project_id}.")


def _unseen(spec: ProjectSpec) -> ProjectView:
    """What is known of a run that has just started, without asking it."""
    return ProjectView(
        project_id=spec.project_id,
        workflow_id=workflow_id(spec.project_id),
        status=ProjectStatus.PLANNING,
        spent_micro=0,
        uncertain_micro=0,
        reserved_micro=0,
        max_micro=spec.max_micro,
        quality_score=None,
        calls=0,
        elapsed_s=0.0,
        simulated=False,
    )
