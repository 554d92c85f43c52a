"""Publishing: all files of a project, its summary and its report become one manifest."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.html_report import HTML_REPORT_NAME, render_html
from orchestrator.artifacts.manifest import Manifest, folders_of, put_files, salvage_draft, write_manifest
from orchestrator.artifacts.report import REPORT_NAME, ReportData, render_report
from orchestrator.artifacts.store import ArtifactStore, safe_piece
from orchestrator.artifacts.summary import SUMMARY_NAME, write_summary
from orchestrator.contracts.project import Event, ProjectView
from orchestrator.contracts.tools import CallRecord, PublishInput, PublishResult
from orchestrator.domain.findings import Finding
from orchestrator.domain.paths import UnsafePathError, normalise_path
from orchestrator.domain.refs import BlobRef, FileRef
from orchestrator.domain.tasks import PROJECT
from orchestrator.domain.text import one_line

logger = logging.getLogger(__name__)
_Item = TypeVar("_Item")
_CALLS = TypeAdapter(tuple[CallRecord, ...])
_EVENTS = TypeAdapter(tuple[Event, ...])
_FINDINGS = TypeAdapter(tuple[Finding, ...])
_RESERVED = (SUMMARY_NAME, REPORT_NAME, HTML_REPORT_NAME)
_ASIDE = "generated"


async def publish(store: ArtifactStore, given: PublishInput) -> PublishResult:
    """Writes the manifest of a project, its summary.json, REPORT.md and report.html included, and names it.

    `projects/<namespace>/<project>/manifest.json` and `view.json` are replaced. A generated file that has the
    name of one of ours, or cannot exist beside another one, moves to `generated/`, which the notes say. Doing
    it again gives the same manifest.

    Where generated files are missing or altered in the store, nothing is written and the result names them: the status
    has to be decided anew. Other texts that are gone are left out of the report, which a note says.
    """
    generated, lost = await _generated(store, given)
    if lost:
        return PublishResult(lost=lost)
    files, moved = place(generated)
    texts = _Texts(store)
    calls = await texts.segments(_CALLS, given.calls, "the log of calls")
    events = await texts.segments(_EVENTS, given.events, "the event log")
    findings = await texts.segments(_FINDINGS, (given.findings,) if given.findings else (), "the list of findings")
    request = await texts.text(given.project_text, "the project text")
    criteria = await texts.text(given.criteria, "the criteria")
    changed = (given.original_project, given.original_criteria) != (given.project_text, given.criteria)
    written = await texts.text(given.original_project if changed else None, "the project text as it was written")
    wanted = await texts.text(given.original_criteria if changed else None, "the criteria as they were written")
    view = ProjectView.model_validate_json(given.view_json)
    told = ReportData(
        view=view.model_copy(update={"notes": (*view.notes, *moved, *texts.gaps)}),
        plan=given.plan,
        calls=calls,
        events=events,
        findings=findings,
        request=request,
        criteria=criteria,
        original_request=written,
        original_criteria=wanted,
        files=tuple(files),
    )
    reports = {REPORT_NAME: render_report(told).encode(), HTML_REPORT_NAME: render_html(told).encode()}
    refs = await put_files(store, {**files, **reports})
    summary = await store.put(write_summary(told.view, calls, refs))
    own = FileRef(path=SUMMARY_NAME, sha256=summary.sha256, size=summary.size)
    manifest = Manifest(files=(*refs, own))
    ref = await write_manifest(store, manifest)
    await store.write_named(
        project_name(given.namespace, given.project, "manifest.json"), manifest.model_dump_json().encode()
    )
    log, records = await store.put(_lines(events)), await store.put(_lines(calls))
    final = told.view.model_copy(update={"manifest": ref, "events": log, "records": records})
    await store.write_named(project_name(given.namespace, given.project, "view.json"), final.model_dump_json().encode())
    return PublishResult(manifest=ref, files=len(manifest.files), events=log, records=records)


def project_name(namespace: str, project: str, leaf: str) -> str:
    """Name in the store of something that belongs to a project, such as `projects/default/p1/view.json`."""
    return "/".join(("projects", safe_piece(namespace), safe_piece(project), safe_piece(leaf)))


def run_name(namespace: str, run_id: str, leaf: str) -> str:
    """Name in the store of something that belongs to a run of a pipeline."""
    return "/".join(("pipelines", safe_piece(namespace), safe_piece(run_id), safe_piece(leaf)))


def batch_name(namespace: str, batch_id: str, leaf: str) -> str:
    """Name in the store of something that belongs to a batch."""
    return "/".join(("batches", safe_piece(namespace), safe_piece(batch_id), safe_piece(leaf)))


async def joined_log(store: ArtifactStore, segments: Sequence[BlobRef]) -> BlobRef:
    """Lists in JSON as one blob with a line for each item; a list that the store has lost is left out."""
    items: list[JsonValue] = []
    for ref in segments:
        try:
            items += json.loads(await store.get(ref))
        except ArtifactError as error:
            logger.warning("a part of a log is lost: %s", error)
    return await store.put("".join(f"{json.dumps(item, ensure_ascii=False)}\n" for item in items).encode())


def place(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Every file at a path that can exist on any file system, and a note for each that had to move."""
    placed: dict[str, bytes] = {}
    notes: list[str] = []
    taken = {name.casefold() for name in _RESERVED}
    folders: set[str] = set()
    for path in sorted(files):
        target = path
        attempt = 0
        while not _free(target.casefold(), taken, folders):
            attempt += 1
            target = _aside(path, attempt)
        if target != path:
            notes.append(f"generated file {one_line(path)} was moved to {one_line(target)}: its name was taken")
        placed[target] = files[path]
        taken.add(target.casefold())
        folders.update(folders_of(target.casefold()))
    return placed, tuple(notes)


def _free(key: str, taken: set[str], folders: set[str]) -> bool:
    return key not in taken and key not in folders and taken.isdisjoint(folders_of(key))


def _aside(path: str, attempt: int) -> str:
    folder = _ASIDE if attempt == 1 else f"{_ASIDE}-{attempt}"
    try:
        return normalise_path(f"{folder}/{path}")
    except UnsafePathError:  # too long now
        return f"{folder}/{path.rsplit('/', 1)[-1]}"


def _plan_order(given: PublishInput) -> list[str]:
    """Tasks that have a draft, in the order of the plan; the later one wins where two hold one path."""
    planned = [task.id for task in given.plan if task.id in given.drafts]
    return planned + sorted(set(given.drafts) - set(planned))


async def _generated(store: ArtifactStore, given: PublishInput) -> tuple[dict[str, bytes], dict[str, tuple[str, ...]]]:
    """The files of all drafts by path, the last one wins; and those that the store has lost, by task."""
    merged: dict[str, bytes] = {}
    lost: dict[str, tuple[str, ...]] = {}
    owned = [(task, given.drafts[task]) for task in _plan_order(given)]
    for task, draft in [*((PROJECT, draft) for draft in given.base), *owned]:
        files = await salvage_draft(store, draft)
        merged.update(files)
        gone = tuple(path for path in draft.paths if path not in files)
        if gone:
            lost[task] = (*lost.get(task, ()), *gone)
    return merged, lost


class _Texts:
    """Reads what the report tells; `gaps` has a note for each text that the store has lost."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self.gaps: tuple[str, ...] = ()

    async def segments(
        self, adapter: TypeAdapter[tuple[_Item, ...]], refs: tuple[BlobRef, ...], name: str
    ) -> tuple[_Item, ...]:
        """The items of all lists that can be read."""
        items: list[_Item] = []
        for ref in refs:
            try:
                items += adapter.validate_json(await self._store.get(ref))
            except (ArtifactError, ValidationError):
                self._lacks(f"a part of {name}")
        return tuple(items)

    async def text(self, ref: BlobRef | None, name: str) -> str:
        """The text, empty where it cannot be read."""
        try:
            return "" if ref is None else (await self._store.get(ref)).decode(errors="replace")
        except ArtifactError:
            self._lacks(name)
            return ""

    def _lacks(self, what: str) -> None:
        note = f"the artifact store has lost {what}: the report lacks it"
        if note not in self.gaps:
            self.gaps = (*self.gaps, note)


def _lines(items: Sequence[BaseModel]) -> bytes:
    return "".join(f"{item.model_dump_json()}\n" for item in items).encode()
