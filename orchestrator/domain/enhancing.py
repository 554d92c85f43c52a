"""Suggestions for a better project text: which are usable, and what the texts become with those that are chosen."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from orchestrator.domain.answers import Suggestion, SuggestionKind
from orchestrator.domain.base import Frozen
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.text import one_line

MAX_SUGGESTIONS = 7
SUGGESTIONS = TypeAdapter(tuple[Suggestion, ...])  # as they lie in the store
_OTHER_KINDS = {"criteria": SuggestionKind.CRITERION, "risks": SuggestionKind.RISK}
_SHOWN_CHARS = 60


class Suggested(Frozen):
    """A suggestion as a run remembers it: without what it adds, which lies in the store."""

    id: str
    kind: SuggestionKind
    title: str


class Enhancement(Frozen):
    """What became of the question for suggestions. `project` and `criteria` are the texts as the user wrote them."""

    suggestions: tuple[Suggested, ...] = ()
    texts: BlobRef | None = None  # JSON list of Suggestion, in the same order
    chosen: tuple[str, ...] | None = None  # ids; None while nobody has decided
    project: BlobRef
    criteria: BlobRef


def usable(found: Sequence[object]) -> tuple[tuple[Suggestion, ...], tuple[str, ...]]:
    """The suggestions that can be shown and applied, and a note for each that cannot."""
    good: list[Suggestion] = []
    notes: list[str] = []
    for number, value in enumerate(found, start=1):
        try:
            suggestion = _checked(value)
        except ValueError as error:
            notes.append(f"suggestion {number} is dropped: {error}")
            continue
        if len(good) < MAX_SUGGESTIONS:
            good.append(suggestion)
        else:
            notes.append(f"suggestion {number} is dropped: there are {MAX_SUGGESTIONS} already")
    return tuple(good), tuple(notes)


def _checked(value: object) -> Suggestion:
    """Raises ValueError, in one line, where the value is no suggestion, or changes nothing."""
    if isinstance(value, dict) and isinstance(kind := value.get("kind", value.get("type")), str):
        value = {**value, "kind": _OTHER_KINDS.get(kind.strip().lower(), kind.strip().lower())}
    try:
        given = Suggestion.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(one_line(f"{where}: {first['msg']}" if where else str(first["msg"]), 120)) from None
    texts = {name: one_line(text, len(text) + 1) for name, text in given.model_dump(exclude={"kind"}).items()}
    if not texts["title"] or not texts["description"]:
        raise ValueError("it has no title or no description")
    if not texts["patch_project"] and not texts["patch_criteria"]:
        raise ValueError(f"{one_line(texts['title'], _SHOWN_CHARS)!r} changes nothing")
    return given.model_copy(update=texts)


def suggested(found: Sequence[Suggestion]) -> tuple[Suggested, ...]:
    """What a run remembers of them; ids are s1, s2 and so on."""
    return tuple(
        Suggested(id=f"s{number}", kind=suggestion.kind, title=suggestion.title)
        for number, suggestion in enumerate(found, start=1)
    )


def enhanced(project: str, criteria: str, found: Sequence[Suggestion], chosen: Sequence[str]) -> tuple[str, str]:
    """Project text and criteria with the chosen suggestions: a line of their own for each, after what was there."""
    picked = [suggestion for known, suggestion in zip(suggested(found), found, strict=True) if known.id in chosen]
    return (
        _extended(project, [suggestion.patch_project for suggestion in picked]),
        _extended(criteria, [suggestion.patch_criteria for suggestion in picked]),
    )


def _extended(text: str, patches: Sequence[str]) -> str:
    return "\n".join((text.rstrip(), *(patch for patch in patches if patch)))
