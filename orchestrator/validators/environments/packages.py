"""What is in an installed environment: distributions with their versions, and the modules that they provide."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def site_packages(root: Path) -> Path:
    """The folder of a virtual environment that packages are in. Raises FileNotFoundError."""
    for folder in (root / "lib").glob("python*/site-packages"):
        return folder
    raise FileNotFoundError(str(root))


def installed(root: Path) -> dict[str, str]:
    """Normalised name of each distribution in a virtual environment, and its version."""
    return {name: metadata.get("Version", "") for name, metadata in _metadata(root).items()}


def brought_along(root: Path, requirements: Iterable[Requirement]) -> set[str]:
    """Normalised names of all that comes with these requirements, themselves included."""
    metadata = _metadata(root)
    rest = [(canonicalize_name(requirement.name), frozenset(requirement.extras)) for requirement in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while rest:
        item = rest.pop()
        name, extras = item
        if item in seen or name not in metadata:
            continue
        seen.add(item)
        for needed in _needed(metadata[name]):
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                rest.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in seen}


def _needed(metadata: Message) -> Iterator[Requirement]:
    """What a distribution needs, as far as it says so in a form that is one."""
    for text in metadata.get_all("Requires-Dist") or []:
        with suppress(InvalidRequirement):
            yield Requirement(text)


def _metadata(root: Path) -> dict[str, Message]:
    """What each distribution in a virtual environment says of itself, by normalised name."""
    found: dict[str, Message] = {}
    for file in site_packages(root).glob("*.dist-info/METADATA"):
        text = file.read_text(encoding="utf-8", errors="replace")
        metadata = HeaderParser().parsestr(text)
        found[canonicalize_name(metadata.get("Name", ""))] = metadata
    return found


def modules(root: Path) -> set[str]:
    """Top-level modules that a virtual environment provides."""
    return {entry.name.partition(".")[0] for entry in site_packages(root).iterdir() if "-info" not in entry.name}
