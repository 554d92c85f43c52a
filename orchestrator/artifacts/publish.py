"""Publishing: all files of a project, its summary and its report become one manifest."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.artifacts.errors import ArtifactError
from orchestrator.artifacts.html_report import HTML_REPORT_NAME, render_html
from orchestrator.artifacts.manifest import Manifest, folders_of, merge_drafts, put_files, write_manifest
from orchestrator.artifacts.report import REPORT_NAME, ReportData, render_report
from orchestrator.artifacts.store import ArtifactStore, safe_piece
from orchestrator.artifacts.summary import SUMMARY_NAME, write_summary
from orchestrator.contracts.project import Event, ProjectView
from orchestrator.contracts.tools import CallRecord, PublishInput, PublishResult
from orchestrator.domain.findings import Finding
from orchestrator.domain.paths import UnsafePathError, normalise_path
from orchestrator.domain.refs import BlobRef, FileRef
from orchestrator.domain.text import one_line

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
    it again gives the same manifest. Raises ArtifactError where a blob is missing or altered.
    """
    view = ProjectView.model_validate_json(given.view_json)
    drafts = [given.drafts[task] for task in _plan_order(given)]
    files, moved = place(await merge_drafts(store, drafts))
    view = view.model_copy(update={"notes": (*view.notes, *moved)})
    calls = await _segments(store, _CALLS, given.calls)
    events = await _segments(store, _EVENTS, given.events)
    told = ReportData(
        view=view,
        plan=given.plan,
        calls=calls,
        events=events,
        findings=await _segments(store, _FINDINGS, (given.findings,) if given.findings else ()),
        request=await _text(store, given.project_text),
        criteria=await _text(store, given.criteria),
        files=tuple(files),
    )
    reports = {REPORT_NAME: render_report(told).encode(), HTML_REPORT_NAME: render_html(told).encode()}
    refs = await put_files(store, {**files, **reports})
    summary = await store.put(write_summary(view, calls, refs))
    own = FileRef(path=SUMMARY_NAME, sha256=summary.sha256, size=summary.size)
    manifest = Manifest(files=(*refs, own))
    ref = await write_manifest(store, manifest)
    await store.write_named(
        project_name(given.namespace, given.project, "manifest.json"), manifest.model_dump_json().encode()
    )
    logs = {"events": await store.put(_lines(events)), "records": await store.put(_lines(calls))}
    final = view.model_copy(update={"manifest": ref, **logs})
    await store.write_named(project_name(given.namespace, given.project, "view.json"), final.model_dump_json().encode())
    return PublishResult(manifest=ref, files=len(manifest.files), **logs)


def project_name(namespace: str, project: str, leaf: str) -> str:
    """Name in the store of something that belongs to a project, such as `projects/default/p1/view.json`."""
    return "/".join(("projects", safe_piece(namespace), safe_piece(project), safe_piece(leaf)))


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


async def _segments(
    store: ArtifactStore, adapter: TypeAdapter[tuple[_Item, ...]], refs: tuple[BlobRef, ...]
) -> tuple[_Item, ...]:
    items: list[_Item] = []
    for ref in refs:
        try:
            items += adapter.validate_json(await store.get(ref))
        except ValidationError:
            raise ArtifactError(f"artifact {ref.sha256} is not the list that it should be") from None
    return tuple(items)


def _lines(items: Sequence[BaseModel]) -> bytes:
    return "".join(f"{item.model_dump_json()}\n" for item in items).encode()


async def _text(store: ArtifactStore, ref: BlobRef | None) -> str:
    return "" if ref is None else (await store.get(ref)).decode(errors="replace")
