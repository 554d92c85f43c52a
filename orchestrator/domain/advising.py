"""The architecture of a project: what the user wants, what a model advises, and what follows from both."""

from orchestrator.domain.answers import ArchitectureAnswer
from orchestrator.domain.app_facts import facts
from orchestrator.domain.apps import AppType, Architecture, ArchitectureWishes, EnhanceMode
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.domain.text import one_line

_LONG_TEXT_BYTES = 300  # about fifty words
_MAX_STACK = 12
_SHOWN_CHARS = 40
_OTHER_NAMES = {
    "html": AppType.STATIC_SITE,
    "static": AppType.STATIC_SITE,
    "website": AppType.STATIC_SITE,
    "landing_page": AppType.STATIC_SITE,
    "next": AppType.NEXTJS,
    "next_js": AppType.NEXTJS,
    "react": AppType.REACT_FASTAPI,
    "fullstack": AppType.REACT_FASTAPI,
    "package": AppType.LIBRARY,
    "command_line": AppType.CLI,
    "etl": AppType.DATA_PIPELINE,
    "pipeline": AppType.DATA_PIPELINE,
}
# In the order in which they are shown; the rationale is for people only.
_LABELS = {
    "app_type": "app type",
    "structural_pattern": "pattern",
    "topology": "topology",
    "data_paradigm": "data",
    "api_paradigm": "api",
    "stack": "stack",
    "entry_point": "entry point",
    "run_command": "run",
    "build_command": "build",
    "test_command": "test",
}


def type_of_brief(text_bytes: int) -> TaskType:
    """The kind of work that suggestions and advice are: a long text is one for a model that reasons."""
    return TaskType.COMPLEX_REASONING if text_bytes > _LONG_TEXT_BYTES else TaskType.CODE_REVIEW


def app_type_of(name: str) -> AppType | None:
    """The type that `name` means, however it is spelt; None where there is no such type."""
    plain = "_".join("".join(ch if ch.isalnum() else " " for ch in name.lower()).split())
    known = {app_type.value: app_type for app_type in AppType}
    return known.get(plain) or _OTHER_NAMES.get(plain)


def advice(answer: ArchitectureAnswer) -> tuple[Architecture, tuple[str, ...]]:
    """The architecture that a model advises, and notes; a type that does not exist becomes the generic one."""
    app_type = app_type_of(answer.app_type)
    notes: tuple[str, ...] = ()
    if app_type is None:
        notes = (f"app type {one_line(answer.app_type, _SHOWN_CHARS)!r} is unknown: taken as generic",)
    texts = answer.model_dump(exclude={"app_type", "stack"})
    stack = tuple(dict.fromkeys(answer.stack))[:_MAX_STACK]
    return Architecture(app_type=app_type or AppType.GENERIC, stack=stack, **texts), notes


def is_settled(wishes: ArchitectureWishes) -> bool:
    """Whether the user has decided everything, so that nobody needs to be asked."""
    return None not in wishes.model_dump().values()


def stages_before_plan(enhance: EnhanceMode, wishes: ArchitectureWishes, *, advise: bool) -> tuple[Stage, ...]:
    """The calls that a run makes before its plan, in their order."""
    return (
        *((Stage.ENHANCE,) if enhance is not EnhanceMode.OFF else ()),
        *((Stage.ADVISE,) if advise and not is_settled(wishes) else ()),
    )


def decided(wishes: ArchitectureWishes, advised: Architecture | None, name: str) -> Architecture:
    """The architecture of software called `name`: the user's wishes over the advice over the facts of its app type.

    Advice for another type of software than the user's says nothing about how this one is built and run, and
    software of no known type has no facts.
    """
    app_type = wishes.app_type or (advised.app_type if advised else AppType.GENERIC)
    layers = [Architecture(app_type=app_type) if app_type is AppType.GENERIC else facts(app_type, name)]
    if advised is not None and advised.app_type is app_type:
        layers.append(advised)
    chosen = {field: value for layer in layers for field, value in layer.model_dump().items() if value}
    wished = {field: value for field, value in wishes.model_dump().items() if value is not None}
    return Architecture.model_validate({**chosen, **wished})


def described(architecture: Architecture | ArchitectureWishes) -> tuple[tuple[str, str], ...]:
    """What is decided, as pairs of a label and a line."""
    pairs = []
    for name, label in _LABELS.items():
        value = getattr(architecture, name)
        text = ", ".join(value) if isinstance(value, tuple) else value or ""
        if text:
            pairs.append((label, one_line(text, 400)))
    return tuple(pairs)


def architecture_lines(architecture: Architecture | ArchitectureWishes) -> tuple[str, ...]:
    """The same as lines of a prompt."""
    return tuple(f"{label}: {text}" for label, text in described(architecture))
