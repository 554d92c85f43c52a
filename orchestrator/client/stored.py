"""What runs leave in the artifact store: their state, how they looked, their logs, the texts of their plan."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.manifest import read_file, read_manifest
from orchestrator.artifacts.publish import project_name
from orchestrator.artifacts.store import ArtifactError, ArtifactStore
from orchestrator.contracts.project import Event, ProjectSpec, ProjectView
from orchestrator.contracts.state import ProjectState
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.answers import PlannedTask, Suggestion
from orchestrator.domain.enhancing import SUGGESTIONS
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.ledger import UncertainCharge
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import TaskSpec

_Model = TypeVar("_Model", bound=BaseModel)
_EVENTS = TypeAdapter(list[Event])
_RECORDS = TypeAdapter(list[CallRecord])


class StoredLogs:
    """Reads what runs of any kind stored. Methods raise PrerequisiteError where it cannot be read."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def segments(self, refs: Sequence[BlobRef]) -> list[Event]:
        """Events of these segments of a log."""
        return [event for ref in refs for event in _EVENTS.validate_json(await self.blob(ref))]

    async def log(self, ref: BlobRef) -> list[Event]:
        """Events of a whole log."""
        return [Event.model_validate_json(line) for line in (await self.blob(ref)).splitlines()]

    async def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        return await self._store.read_named(name) is not None

    async def blob(self, ref: BlobRef) -> bytes:
        """Stored content."""
        try:
            return await self._store.get(ref)
        except ArtifactError as error:
            raise PrerequisiteError(f"{error}; is this the store that the worker writes to?") from error


class StoredRuns(StoredLogs):
    """Reads what the projects of one namespace stored."""

    def __init__(self, store: ArtifactStore, namespace: str) -> None:
        super().__init__(store)
        self._namespace = namespace

    async def view(self, project_id: str) -> ProjectView | None:
        """How the run looked last; None where it stored nothing."""
        return await self._named(project_id, "view.json", ProjectView)

    async def state(self, project_id: str) -> ProjectState | None:
        """The run's memory at its last change of phase; None where it stored nothing."""
        return await self._named(project_id, "state.json", ProjectState)

    async def spec(self, project_id: str) -> ProjectSpec | None:
        """The run's input, its texts left out; None where it stored nothing."""
        return await self._named(project_id, "spec.json", ProjectSpec)

    async def unbooked(self, project_id: str, state: ProjectState) -> dict[str, UncertainCharge]:
        """What requests cost that the run sent after it stored `state`, by key: a run that was terminated."""
        records = list(state.records)
        for ref in state.record_segments:
            records += _RECORDS.validate_json(await self.blob(ref))
        ledger = state.ledger
        known = {record.key for record in records} | ledger.reserved.keys() | ledger.uncertain.keys()
        return await Journal(self._store, owner="").charges(self._namespace, project_id, known)

    async def written(self, project_id: str) -> tuple[ProjectSpec, ProjectState]:
        """The run's input with its texts, as the user wrote them, and its memory.

        Raises UserInputError where it stored nothing.
        """
        spec, state = await self.spec(project_id), await self.state(project_id)
        if spec is None or state is None or state.prepared is None:
            raise UserInputError(f"project {project_id} ended before it stored anything: start it anew")
        texts = state.enhancement or state.prepared  # suggestions that were chosen are applied by the run
        return (
            spec.model_copy(
                update={"project": await self.text(texts.project), "criteria": await self.text(texts.criteria)}
            ),
            state,
        )

    async def text(self, ref: BlobRef) -> str:
        """A stored text."""
        return (await self.blob(ref)).decode(errors="replace")

    async def published(self, manifest: BlobRef, path: str) -> bytes:
        """One file of what a run published."""
        try:
            files = (await read_manifest(self._store, manifest)).files
            return await read_file(self._store, next(file for file in files if file.path == path))
        except ArtifactError as error:
            raise PrerequisiteError(f"{error}; is this the store that the worker writes to?") from error

    async def files(self, manifest: BlobRef) -> dict[str, bytes]:
        """All files of what a run published, by path."""
        try:
            found = (await read_manifest(self._store, manifest)).files
            return {file.path: await read_file(self._store, file) for file in found}
        except ArtifactError as error:
            raise PrerequisiteError(f"{error}; is this the store that the worker writes to?") from error

    async def records(self, ref: BlobRef) -> list[CallRecord]:
        """All settled calls of a run."""
        return [CallRecord.model_validate_json(line) for line in (await self.blob(ref)).splitlines()]

    async def suggestions(self, ref: BlobRef) -> tuple[Suggestion, ...]:
        """Suggestions with what they add to the texts."""
        return SUGGESTIONS.validate_json(await self.blob(ref))

    async def planned(self, plan: Sequence[TaskSpec]) -> tuple[PlannedTask, ...]:
        """The tasks with their instructions, as a person edits them."""
        return tuple(
            [
                PlannedTask(
                    id=task.id,
                    title=task.title,
                    type=task.type,
                    prompt=await self.text(task.prompt),
                    dependencies=list(task.dependencies),
                    files=list(task.files),
                    validators=list(task.validators),
                )
                for task in plan
            ]
        )

    async def _named(self, project_id: str, leaf: str, kind: type[_Model]) -> _Model | None:
        data = await self._store.read_named(project_name(self._namespace, project_id, leaf))
        try:
            return None if data is None else kind.model_validate_json(data)
        except ValidationError as error:
            raise PrerequisiteError(f"the stored {leaf} of project {project_id} is of another version") from error
