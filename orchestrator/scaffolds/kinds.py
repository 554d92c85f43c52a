"""What each scaffold is made of: its data file, its templates, and the pinned versions that all share."""

import re
import tomllib
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Annotated

from pydantic import Field

from orchestrator.domain.apps import AppType
from orchestrator.domain.base import Frozen

_ANYTHING = "(?s:.*)"
_SUFFIX = ".in"  # keeps the tools of this project away from files that are not its own


class Kind(Frozen):
    """One type of app, as its kind.toml says."""

    title: str
    shared: tuple[str, ...]  # folders of templates below shared/ that it starts from
    python: tuple[str, ...] = ()  # names of packages in versions.toml
    python_dev: tuple[str, ...] = ()
    packaged: bool = True  # whether the wheel holds its Python files
    stays_until: dict[str, str] = {}  # path of a fallback to the pattern of the planned paths that replace it
    moves_below_src: str = ""  # a folder that lies below src/ where the plan has it there
    lint_ignores: dict[str, str] = {}  # rule to reason
    install: tuple[str, ...]  # commands that make the folder ready, in order
    checks: tuple[str, ...]  # commands that lint and check types
    port: int | None = None  # where it listens, for those that do
    container_port: int | None = None  # where it listens in a container, if elsewhere
    notes: str = ""  # what a reader should know; Markdown


class Versions(Frozen):
    """Exact versions, tested together."""

    python: dict[str, str]
    images: dict[str, str]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]

    def pinned(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Requirements of these packages."""
        return tuple(f"{name}=={self.python[name]}" for name in names)


class TemplateFile(Frozen):
    """A file of a scaffold before it is rendered."""

    path: str  # with `MODULE` where the name of the package belongs
    text: str
    stays_until: str | None = None  # pattern of the planned paths in whose presence it goes; kept without one

    def stays(self, planned: Collection[str]) -> bool:
        """Whether it belongs to software of which a plan writes these files."""
        return self.stays_until is None or not any(re.fullmatch(self.stays_until, path) for path in planned)

    def render(self, values: dict[str, str]) -> str:
        """The text with each `@@{name}` replaced. Raises KeyError for a name without a value."""
        return _Marked(self.text).substitute(values)


class _Marked(Template):
    """Placeholders that no language of the scaffolds uses."""

    delimiter = "@@"
    idpattern = "[a-z_]+"


@cache
def versions() -> Versions:
    """The versions that all scaffolds share."""
    return Versions.model_validate(tomllib.loads(_root().joinpath("versions.toml").read_text("utf-8")))


@cache
def kind(app_type: AppType) -> Kind:
    """The description of a type."""
    return Kind.model_validate(tomllib.loads(_folder(app_type).joinpath("kind.toml").read_text("utf-8")))


@cache
def templates(app_type: AppType) -> tuple[TemplateFile, ...]:
    """The files of a type, ordered by path; its own stand for shared ones of the same path.

    Kept files stay whatever a plan writes, fallbacks until it brings what they stand for, samples (example code and its
    tests) until it writes anything.
    """
    of, folder = kind(app_type), _folder(app_type)
    kept = {path: text for each in of.shared for path, text in _below(_root().joinpath("shared", each))}
    kept |= dict(_below(folder.joinpath("kept")))
    found = [TemplateFile(path=path, text=text) for path, text in kept.items()]
    for path, text in _below(folder.joinpath("fallbacks")):
        found.append(TemplateFile(path=path, text=text, stays_until=of.stays_until[path]))
    for path, text in _below(folder.joinpath("samples")):
        found.append(TemplateFile(path=path, text=text, stays_until=_ANYTHING))
    return tuple(sorted(found, key=lambda each: each.path))


def _root() -> Traversable:
    return files("orchestrator.scaffolds")


def _folder(app_type: AppType) -> Traversable:
    return _root().joinpath("types", app_type.value)


def _below(folder: Traversable, prefix: str = "") -> list[tuple[str, str]]:
    """Paths and texts of the templates in a folder; `dot_` stands for the dot of a hidden file."""
    if not folder.is_dir():
        return []
    found = []
    for entry in folder.iterdir():
        path = prefix + re.sub("^dot_", ".", entry.name)
        if entry.is_dir():
            found += _below(entry, f"{path}/")
        elif entry.name.endswith(_SUFFIX):
            found.append((path.removesuffix(_SUFFIX), entry.read_text("utf-8")))
    return found
