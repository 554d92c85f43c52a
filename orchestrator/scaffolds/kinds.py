"""What each scaffold is made of: its data file, its templates, and the pinned versions that all share."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Annotated

from pydantic import Field

from orchestrator.domain.apps import AppType
from orchestrator.domain.base import Frozen

_SUFFIX = ".in"  # keeps the tools of this project away from files that are not its own


class Kind(Frozen):
    """One type of app, as its kind.toml says."""

    title: str
    shared: tuple[str, ...]  # folders of templates below shared/ that it starts from
    python: tuple[str, ...] = ()  # names of packages in versions.toml
    python_dev: tuple[str, ...] = ()
    packaged: bool = True  # whether the wheel holds its Python files
    lint_ignores: dict[str, str] = {}  # rule to reason
    install: tuple[str, ...]  # commands that make the folder ready, in order
    checks: tuple[str, ...]  # commands that lint and check types
    port: int | None = None  # where it listens, for those that do
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
    sample: bool  # shows how it is done, and makes room for what a plan writes

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
    """The files of a type, ordered by path; its own stand for shared ones of the same path."""
    found = {path: text for each in kind(app_type).shared for path, text in _below(_root().joinpath("shared", each))}
    folder = _folder(app_type)
    found |= dict(_below(folder.joinpath("kept")))
    kept = [TemplateFile(path=path, text=text, sample=False) for path, text in found.items()]
    samples = [TemplateFile(path=path, text=text, sample=True) for path, text in _below(folder.joinpath("samples"))]
    return tuple(sorted((*kept, *samples), key=lambda each: each.path))


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
