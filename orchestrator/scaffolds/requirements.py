"""Declared dependencies: which texts are requirements, and how they join those that a scaffold has already."""

import re
from collections.abc import Collection, Iterable, Mapping

from orchestrator.domain.apps import Dependencies

_PYTHON = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?) *"
    r"(?P<extras>\[[A-Za-z0-9._, -]*\])? *"
    r"(?P<versions>(?:(?:===?|[<>!~]=|[<>]) *[A-Za-z0-9.*+!_-]+ *(?:, *|(?=;|$)))*)"
    r"(?P<marker>;[ A-Za-z0-9_.'\"<>=!()]*)?"
)
_NODE = re.compile(
    r"(?P<name>(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)(?:@(?P<range>[A-Za-z0-9.*^~<>=| -]+))?"
)
_TOOLS = {"coverage", "hypothesis", "mypy", "ruff"}
_PREFIXES_OF_TOOLS = ("pytest", "types-")
_MAX_CHARS = 200
_ANY_VERSION = "*"


def dependency_problems(dependencies: Dependencies) -> tuple[str, ...]:
    """One line for each text that is no requirement. Addresses and paths are none: packages have names here."""
    python = (text for text in dependencies.python if not _matched(_PYTHON, text))
    node = (text for text in dependencies.node if not _matched(_NODE, text))
    return (
        *(f"{text[:80]!r} is no Python requirement: write name, name==1.2.3 or name>=1,<2" for text in python),
        *(f"{text[:80]!r} is no Node requirement: write name, name@1.2.3 or name@^1" for text in node),
    )


def python_name(requirement: str) -> str:
    """The normalised distribution name of a requirement."""
    matched = _matched(_PYTHON, requirement)
    return re.sub(r"[-_.]+", "-", matched["name"]).lower() if matched else ""


def node_name(requirement: str) -> str:
    """The package's name in `name@range`."""
    matched = _matched(_NODE, requirement)
    return matched["name"] if matched else ""


def is_tool(requirement: str) -> bool:
    """True for what is needed to test and check software, never to run it."""
    name = python_name(requirement)
    return name in _TOOLS or name.startswith(_PREFIXES_OF_TOOLS)


def merged_python(own: Iterable[str], declared: Collection[str], elsewhere: Iterable[str] = ()) -> tuple[str, ...]:
    """`own` requirements, which are pinned, and then those of `declared` that name another package.

    The pins of a scaffold stay, since it is tested with them; extras that are declared for its packages are added.
    Packages of `elsewhere` are listed in another group of the same manifest with their pins: these are taken over.
    """
    pins = {python_name(each): each for each in elsewhere}
    result = {python_name(each): each for each in own}
    for text in declared:
        name = python_name(text)
        if not name:
            continue
        chosen = result.get(name) or pins.get(name) or " ".join(text.split())
        result[name] = _with_extras(chosen, text)
    return tuple(result.values())


def merged_node(own: Mapping[str, str], declared: Collection[str], elsewhere: Mapping[str, str]) -> dict[str, str]:
    """The `dependencies` of a package.json: ranges by name. What it lists already, here or `elsewhere`, stays."""
    result = dict(own)
    for text in declared:
        matched = _matched(_NODE, text)
        if matched and matched["name"] not in elsewhere:
            result.setdefault(matched["name"], (matched["range"] or _ANY_VERSION).strip())
    return dict(sorted(result.items()))


def _with_extras(requirement: str, declared: str) -> str:
    ours, theirs = _matched(_PYTHON, requirement), _matched(_PYTHON, declared)
    if not ours or not theirs or not theirs["extras"] or ours["extras"]:
        return requirement
    return requirement.replace(ours["name"], ours["name"] + theirs["extras"], 1)


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return pattern.fullmatch(text.strip()) if len(text) <= _MAX_CHARS else None
