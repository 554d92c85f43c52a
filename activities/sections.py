"""Turns the references of a request into the named texts that prompts are made of."""

import json
import re
from collections.abc import Sequence
from itertools import islice

from pydantic import TypeAdapter

from orchestrator.artifacts.manifest import read_draft
from orchestrator.artifacts.store import Contents
from orchestrator.contracts.calls import ContextDraft, PromptParts
from orchestrator.domain.answers import Critique
from orchestrator.domain.findings import Finding
from orchestrator.domain.interfaces import Extent, Shown, shown_within
from orchestrator.domain.refs import DraftRef
from orchestrator.domain.sizes import MAX_CONTEXT_BYTES, MAX_FENCE_CHARS
from orchestrator.scaffolds import listing

_INLINE = ("attempts", "architecture", "questions", "evidence")  # sections that a request carries line by line
_FINDINGS = TypeAdapter(list[Finding])
_MAX_LANGUAGE_BYTES = 12
_LANGUAGES = {
    "py": "python", "md": "markdown", "js": "javascript", "ts": "typescript", "sh": "bash", "yml": "yaml",
}  # fmt: skip


async def read_sections(store: Contents, parts: PromptParts) -> dict[str, str]:
    """All sections that `parts` has something for; see orchestrator.prompts for their names."""
    sections = {
        "project": (await store.get(parts.project)).decode(),
        "criteria": (await store.get(parts.criteria)).decode(),
    }
    if parts.task is not None:
        brief = parts.task.model_dump(mode="json", exclude={"prompt"})
        brief["prompt"] = (await store.get(parts.task.prompt)).decode()
        sections["task"] = json.dumps(brief, ensure_ascii=False)
    if parts.app_type is not None:
        sections["existing"] = "\n".join(listing(parts.app_type))
    if parts.existing is not None:
        sections["existing"] = (await store.get(parts.existing)).decode()
    if parts.context:
        sections["context"] = await _context(store, parts.context)
    if parts.draft is not None:
        sections["draft"] = await _files(store, parts.draft)
    if parts.findings is not None:
        findings = _FINDINGS.validate_json(await store.get(parts.findings))
        sections["findings"] = "\n".join(_finding(finding) for finding in findings)
    if parts.critique is not None:
        critique = Critique.model_validate_json(await store.get(parts.critique))
        sections["critique"] = "\n".join(f"{i.file}:{i.line} {i.message}" for i in critique.issues)
    if parts.guidance:
        sections["guidance"] = "\n".join([(await store.get(ref)).decode() for ref in parts.guidance])
    inline = {name: lines for name in _INLINE if (lines := getattr(parts, name))}
    sections |= {name: "\n".join(lines) for name, lines in inline.items()}
    if parts.previous_error:
        sections["previous_error"] = parts.previous_error
    return sections


async def _context(store: Contents, context: Sequence[ContextDraft]) -> str:
    """The files of each dependency; those for which there is no room by their interface, or at least by name."""
    drafts = [await read_draft(store, item.draft) for item in context]
    files = [(path, content.decode(errors="replace")) for draft in drafts for path, content in draft.items()]
    shown = iter(shown_within(files, MAX_CONTEXT_BYTES))
    lines = []
    for item, draft in zip(context, drafts, strict=True):
        lines.append(f"{item.task} {item.title}")
        lines += [_shown(file) for file in islice(shown, len(draft))]
    return "\n".join(lines)


def _shown(file: Shown) -> str:
    match file.extent:
        case Extent.WHOLE:
            return fenced(file.path, file.text)
        case Extent.INTERFACE:
            return f"its interface only:\n{fenced(file.path, file.text)}"
        case Extent.NAME:
            return f"{file.path}: exists; there is no room to show it"


async def _files(store: Contents, draft: DraftRef) -> str:
    files = await read_draft(store, draft)
    return "\n".join(fenced(path, content.decode(errors="replace")) for path, content in files.items())


def fenced(path: str, content: str) -> str:
    """One file as a fence that names it; the fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", content)), default=2)
    fence = "`" * min(longest + 1, MAX_FENCE_CHARS)
    end = "" if content.endswith("\n") or not content else "\n"
    return f"{fence}{_language(path)} path={path}\n{content}{end}{fence}"


def _language(path: str) -> str:
    """The fence's language: a known name, else a plain extension, else text."""
    suffix = path.rsplit(".", 1)[-1].lower()
    plain = "." in path and suffix.isalnum() and len(suffix.encode()) <= _MAX_LANGUAGE_BYTES
    return _LANGUAGES.get(suffix, suffix) if plain else "text"


def _finding(finding: Finding) -> str:
    where = f"{finding.path}:{finding.line}: " if finding.path else ""
    rule = f" [{finding.rule}]" if finding.rule else ""
    return f"{finding.validator}{rule} {where}{finding.message}"
