"""How large a prompt can become, known from the sizes of its parts without reading them."""

from orchestrator.contracts.calls import ContextDraft, PromptParts, TaskBrief
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.sizes import (
    FENCE_BYTES_PER_FILE,
    LINE_BYTES,
    MAX_CONTEXT_BYTES,
    SCAFFOLD_LISTING_BYTES,
    TEMPLATE_BYTES,
)
from orchestrator.domain.tasks import Stage


def prompt_bound(stage: Stage, parts: PromptParts) -> int:
    """An upper bound of the bytes of system text, prompt and schema that `stage` makes of `parts`.

    Holds for blobs of valid UTF-8, which is all that the activities write.
    """
    blobs = (parts.project, parts.criteria, parts.findings, parts.critique, parts.existing)
    return (
        TEMPLATE_BYTES[stage]
        + sum(_blob(ref) for ref in blobs)
        + (_brief(parts.task) if parts.task else 0)
        + _context(parts.context)
        + (_draft(parts.draft) if parts.draft else 0)
        + sum(_blob(ref) for ref in parts.guidance)
        + sum(_line(line) for line in (*parts.attempts, *parts.architecture, *parts.questions, *parts.evidence))
        + (SCAFFOLD_LISTING_BYTES if parts.app_type else 0)
        + _line(parts.previous_error)
    )


def _blob(ref: BlobRef | None) -> int:
    return ref.size + LINE_BYTES if ref else 0


def _brief(task: TaskBrief) -> int:
    lines = (task.id, task.title, task.type.value, *task.files)
    return task.prompt.size + sum(_line(text) for text in lines)


def _draft(draft: DraftRef) -> int:
    return draft.files_bytes + _names(draft)


def _context(context: tuple[ContextDraft, ...]) -> int:
    files = sum(item.draft.files_bytes for item in context)
    around = sum(_line(item.task) + _line(item.title) + _names(item.draft) for item in context)
    return min(files, MAX_CONTEXT_BYTES) + around


def _names(draft: DraftRef) -> int:
    return sum(len(path.encode()) for path in draft.paths) + FENCE_BYTES_PER_FILE * len(draft.paths)


def _line(text: str) -> int:
    return len(text.encode(errors="replace")) + LINE_BYTES
