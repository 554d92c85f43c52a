"""From batch files to the frozen input of a batch: projects resolved, budgets shared out, everything in the store."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.catalog import ROUTING, Catalog, catalog_here
from orchestrator.catalog.simulated import SIMULATED_ROUTING
from orchestrator.client.batch_file import BatchFile, BatchItem, above_budget, load_batch
from orchestrator.client.deliveries import local_delivery
from orchestrator.client.model_names import model_resolver
from orchestrator.client.project_file import ProjectFile
from orchestrator.client.spec import (
    CLUSTER_CONTINUE_AFTER_EVENTS,
    CLUSTER_TIMEOUTS,
    DEFAULT_BUDGET,
    DEFAULT_CONCURRENCY,
    DEFAULT_TIME_LIMIT,
    EMBEDDED_CONTINUE_AFTER_EVENTS,
    EMBEDDED_TIMEOUTS,
    ProjectRequest,
    build_spec,
    parse_budget,
    parse_concurrency,
    parse_time_limit,
)
from orchestrator.contracts.batch import BatchManifest, BatchSpec, ManifestEntry
from orchestrator.contracts.delivery import Delivery
from orchestrator.contracts.project import ProjectSpec
from orchestrator.domain.apps import EnhanceMode
from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings

DEFAULT_AT_ONCE = 4
_EMBEDDED_LOOK_S = 15.0
_CLUSTER_LOOK_S = 60.0
_EMBEDDED_TASK_TIMEOUT_S = 5.0  # then another worker gets a dead one's task
_TITLE_CHARS = 100
_CENT_MICRO = 10_000
_WRITES_AT_ONCE = 16


@dataclass(frozen=True)
class PlannedProject:
    """One project, resolved; `files` are the user's own, by path in the software."""

    key: str
    file: str
    spec: ProjectSpec
    files: dict[str, bytes]


@dataclass(frozen=True)
class PlannedBatch:
    """A batch, checked and resolved, nothing of it stored. Its budget in micro-USD is shared by all projects."""

    name: str
    max_micro: int
    concurrency: int
    projects: tuple[PlannedProject, ...]
    delivery: Delivery | None
    embedded: bool


def plan_batch(
    paths: Sequence[Path], settings: Settings, *, max_micro: int | None = None, concurrency: int | None = None
) -> PlannedBatch:
    """Read one batch file, or project files, and resolve all that they name. `max_micro` and `concurrency` win.

    Raises UserInputError with everything that is wrong.
    """
    catalog = cache(lambda: catalog_here(settings))
    batch = load_batch(paths, model_resolver(catalog))
    total_micro = max_micro if max_micro is not None else batch.max_micro
    caps = _caps(batch, total_micro)
    return PlannedBatch(
        name=batch.name,
        max_micro=sum(caps) if total_micro is None else total_micro,
        concurrency=concurrency or batch.concurrency or DEFAULT_AT_ONCE,
        projects=tuple(
            PlannedProject(
                key=item.key if settings.readable_ids else f"p{number:04d}",
                file=str(item.path),
                spec=_spec(item.project, cap, catalog(), settings),
                files=item.project.files,
            )
            for number, (item, cap) in enumerate(zip(batch.items, caps, strict=True), start=1)
        ),
        delivery=local_delivery(batch.delivery, settings),
        embedded=settings.embedded,
    )


async def store_batch(plan: PlannedBatch, store: ArtifactStore) -> BatchSpec:
    """Put all that the batch needs into the store: its input names the manifest by its digest."""
    at_once = asyncio.Semaphore(_WRITES_AT_ONCE)

    async def entry(project: PlannedProject) -> ManifestEntry:
        async with at_once:
            spec = project.spec
            if project.files:
                spec = spec.model_copy(update={"files": await write_draft(store, project.files)})
            return ManifestEntry(
                key=project.key,
                title=one_line(spec.project.strip().splitlines()[0], _TITLE_CHARS),
                file=project.file,
                max_micro=spec.max_micro,
                spec=await store.put(spec.model_dump_json().encode()),
            )

    entries = await asyncio.gather(*(entry(project) for project in plan.projects))
    manifest = BatchManifest(name=plan.name, projects=tuple(entries))
    embedded = plan.embedded
    return BatchSpec(
        manifest=await store.put(manifest.model_dump_json().encode()),
        name=plan.name,
        max_micro=plan.max_micro,
        concurrency=plan.concurrency,
        timeouts=EMBEDDED_TIMEOUTS if embedded else CLUSTER_TIMEOUTS,
        continue_after_events=EMBEDDED_CONTINUE_AFTER_EVENTS if embedded else CLUSTER_CONTINUE_AFTER_EVENTS,
        look_every_s=_EMBEDDED_LOOK_S if embedded else _CLUSTER_LOOK_S,
        task_timeout_s=_EMBEDDED_TASK_TIMEOUT_S if embedded else None,
        delivery=plan.delivery,
    )


def _caps(batch: BatchFile, total_micro: int | None) -> list[int]:
    """A cap for each project: its own, else an equal share of the batch's budget, at most what a project gets anyway.

    Raises UserInputError where a cap is above the batch's budget.
    """
    share_micro = parse_budget(DEFAULT_BUDGET)
    if total_micro is not None:
        share_micro = max(1, min(share_micro, _rounded(total_micro // len(batch.items))))
    wrong = [_too_dear(item, total_micro) for item in batch.items]
    problems = [words for words in wrong if words]
    if problems:
        raise UserInputErrors(problems) if len(problems) > 1 else UserInputError(problems[0])
    return [share_micro if item.max_micro is None else item.max_micro for item in batch.items]


def _rounded(amount_micro: int) -> int:
    """Whole cents where there are any: people read them."""
    return amount_micro - amount_micro % _CENT_MICRO if amount_micro >= _CENT_MICRO else amount_micro


def _too_dear(item: BatchItem, total_micro: int | None) -> str:
    if total_micro is None or item.max_micro is None or item.max_micro <= total_micro:
        return ""
    return f"{item.path}: budget: {above_budget(item.max_micro, total_micro)}; lower it, or raise --budget"


def _spec(file: ProjectFile, max_micro: int, catalog: Catalog, settings: Settings) -> ProjectSpec:
    """What the file asks for, nobody being there to be asked. The batch gives the run its id."""
    assert file.project is not None and file.criteria is not None
    enhance = file.enhance or EnhanceMode.ALL
    request = ProjectRequest(
        project=file.project,
        criteria=file.criteria,
        max_micro=max_micro,
        time_limit_s=file.time_limit or parse_time_limit(DEFAULT_TIME_LIMIT),
        concurrency=file.concurrency or parse_concurrency(DEFAULT_CONCURRENCY),
        policies=file.policies,
        overrides=file.models,
        enhance=EnhanceMode.ALL if enhance is EnhanceMode.ASK else enhance,
        advise=file.advise is not False,
        wishes=file.wishes,
        dependencies=file.dependencies,
        validators=file.validators,
        commands=file.commands,
        quality_targets=file.quality_targets,
        delivery=local_delivery(file.delivery, settings),
        team=file.team or "",
    )
    return build_spec(
        request,
        project_id="",
        models=catalog.models,
        routing=ROUTING,
        simulated_routing=SIMULATED_ROUTING,
        embedded=settings.embedded,
    )
