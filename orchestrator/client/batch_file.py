"""Batch files, YAML or JSON, and lists of project files: which projects a batch has, and what each may cost."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from orchestrator.client.model_names import ModelResolver
from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.project_shape import Budget, Concurrency, DeliverSection, Text
from orchestrator.contracts.batch import KEY_CHARS
from orchestrator.contracts.delivery import Delivery
from orchestrator.contracts.project import OnExhausted
from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.money import usd
from orchestrator.settings.yaml_files import MAPPING, VALUE, Section, form, shaped
from orchestrator.settings.yaml_source import FieldPath, YamlDocument, read_document

PAGE = "docs/batches.md"
MAX_PROJECTS = 5000
_MAX_PROBLEMS = 50
_NAME_CHARS = 80
_KEY = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{KEY_CHARS - 1}}}")
_NOT_OF_KEYS = re.compile(r"[^a-z0-9]+")


def parse_key(raw: str) -> str:
    """The name of a project within its batch. Raises ValueError."""
    if not _KEY.fullmatch(raw):
        raise ValueError(f"must be 1 to {KEY_CHARS} small letters, digits or '-'; got {raw[:60]!r}")
    return raw


class EntrySection(Section):
    """One project of a batch."""

    file: Text
    """Its project file, relative to the batch file."""
    id: Annotated[str, AfterValidator(parse_key)] | None = None
    """Its name within the batch; the project's id ends with it."""
    budget: Budget | None = None
    """Most that it may spend, in USD, in place of what its file says."""


class BatchShape(Section):
    """A batch file: projects that share a budget."""

    name: Annotated[Text, Field(max_length=_NAME_CHARS)] | None = None
    """What lists call it; the name of the file by default."""
    budget: Budget | None = None
    """Most that all of its projects together may spend, in USD; what their own budgets add up to by default."""
    concurrency: Concurrency | None = None
    """Projects at a time, 1 to 64."""
    projects: tuple[
        Annotated[Annotated[Text, Tag(VALUE)] | Annotated[EntrySection, Tag(MAPPING)], Discriminator(form)], ...
    ]
    """Project files, or file, id and budget of each; they start in this order."""
    deliver: DeliverSection = DeliverSection()
    """What a worker does once the batch has ended."""


@dataclass(frozen=True)
class BatchItem:
    """One project: its key, where it was read from, what its file says, its own cap in micro-USD if it has one."""

    key: str
    path: Path
    project: ProjectFile
    max_micro: int | None


@dataclass(frozen=True)
class BatchFile:
    """What a batch is asked to be; None where nobody said."""

    name: str
    items: tuple[BatchItem, ...]
    max_micro: int | None
    concurrency: int | None
    delivery: Delivery


@dataclass(frozen=True)
class _Entry:
    path: Path
    id: str | None = None
    budget: int | None = None


def load_batch(paths: Sequence[Path], resolve: ModelResolver) -> BatchFile:
    """Read one batch file, or project files. `resolve` knows the models.

    Raises UserInputError with everything that is wrong in any of the files.
    """
    if len(paths) == 1:
        document = read_document(paths[0], nulls=False)
        if _is_batch(document):
            return _Batch(document, paths[0], resolve).read()
    entries = [_Entry(path) for path in paths]
    problems = [f"{path}: is given twice; remove one of them" for path in _twice(entries)]
    problems += [f"{path}: is a batch file; give it alone" for path in dict.fromkeys(paths) if _batch_among(path)]
    _raise(problems)
    items = _items(entries, resolve, problems)
    _raise(problems)
    return BatchFile(name=_named_after(paths), items=items, max_micro=None, concurrency=None, delivery=Delivery())


class _Batch:
    """A batch file, whose complaints have places."""

    def __init__(self, document: YamlDocument, path: Path, resolve: ModelResolver) -> None:
        self._document = document
        self._path = path
        self._resolve = resolve

    def read(self) -> BatchFile:
        document = self._document
        shape = shaped(document, BatchShape, page=PAGE)
        folder = self._path.absolute().parent
        given = [EntrySection(file=one) if isinstance(one, str) else one for one in shape.projects]
        entries = [_Entry(folder / Path(one.file).expanduser(), one.id, one.budget) for one in given]
        self._check(entries)
        problems: list[str] = []
        items = _items(entries, self._resolve, problems, shown=[Path(one.file) for one in given])
        for index, item in enumerate(items):
            if shape.budget is not None and item.max_micro is not None and item.max_micro > shape.budget:
                document.complain(self._budget_of(index, given[index]), above_budget(item.max_micro, shape.budget))
        document.check()
        _raise(problems)
        return BatchFile(
            name=shape.name or self._path.stem[:_NAME_CHARS],
            items=items,
            max_micro=shape.budget,
            concurrency=shape.concurrency,
            delivery=Delivery(**shape.deliver.model_dump(exclude_none=True)),
        )

    def _check(self, entries: Sequence[_Entry]) -> None:
        document = self._document
        if not entries:
            document.complain(("projects",), "lists no project; name at least one project file")
        if len(entries) > MAX_PROJECTS:
            document.complain(("projects",), f"lists {len(entries)} projects; a batch has at most {MAX_PROJECTS}")
        first: dict[object, int] = {}
        for index, entry in enumerate(entries):
            if entry.id is not None and first.setdefault(entry.id, index) != index:
                where = document.line(("projects", first[entry.id]))
                document.complain(("projects", index, "id"), f"{entry.id!r} is the id of line {where} already")
            if not entry.path.is_file():
                document.complain(("projects", index), f"there is no file {str(entry.path)[-_NAME_CHARS:]!r}")
            elif entry.id is None and first.setdefault(entry.path.resolve(), index) != index:
                where = document.line(("projects", first[entry.path.resolve()]))
                words = f"is listed on line {where} already; remove one of them, or give this one an id"
                document.complain(("projects", index), words)
        document.check()

    def _budget_of(self, index: int, given: EntrySection) -> FieldPath:
        return ("projects", index, "budget") if given.budget is not None else ("projects", index)


def above_budget(max_micro: int, batch_micro: int) -> str:
    """Why a project can never start."""
    return f"its budget of ${usd(max_micro):.2f} is above the ${usd(batch_micro):.2f} of the whole batch"


def _is_batch(document: YamlDocument) -> bool:
    return isinstance(document.value, dict) and "projects" in document.value


def _batch_among(path: Path) -> bool:
    """Whether this is a batch file; one that cannot be read is complained of as a project file."""
    try:
        return _is_batch(read_document(path, nulls=False))
    except UserInputError:
        return False


def _twice(entries: Sequence[_Entry]) -> list[Path]:
    counts = Counter(entry.path.resolve() for entry in entries)
    found = {entry.path.resolve(): entry.path for entry in entries}
    return [path for resolved, path in found.items() if counts[resolved] > 1]


def _items(
    entries: Sequence[_Entry], resolve: ModelResolver, problems: list[str], shown: Sequence[Path] = ()
) -> tuple[BatchItem, ...]:
    """The projects of all files that are right; `problems` gets those of the others."""
    files: dict[int, ProjectFile] = {}
    for index, entry in enumerate(entries):
        try:
            files[index] = load_project_file(entry.path, resolve)
        except UserInputErrors as error:
            problems += error.problems
        except UserInputError as error:
            problems.append(str(error))
        else:
            problems += [f"{entry.path}: {words}" for words in _unfit(files[index])]
    keys = _keys([entries[index] for index in files], list(files.values()), problems)
    return tuple(
        BatchItem(
            key=key,
            path=shown[index] if shown else entries[index].path,
            project=file,
            max_micro=file.budget if entries[index].budget is None else entries[index].budget,
        )
        for key, (index, file) in zip(keys, files.items(), strict=True)
    )


def _unfit(file: ProjectFile) -> list[str]:
    """What a file lacks, and what it asks of somebody: no one attends to a batch."""
    found = [f"{name}: is missing; add it" for name in ("project", "criteria") if getattr(file, name) is None]
    if file.approve:
        found.append("approve: a batch waits for nobody; remove it, or start the project alone")
    if file.on_exhausted is OnExhausted.PAUSE:
        found.append("on_exhausted: a batch waits for nobody; remove 'pause', or start the project alone")
    return found


def _keys(entries: Sequence[_Entry], files: Sequence[ProjectFile], problems: list[str]) -> list[str]:
    """A key for each: its id, else its file's project_id, else the file's name, with its folder where names collide."""
    names = [entry.id or _slug(file.project_id or entry.path.stem) for entry, file in zip(entries, files, strict=True)]
    counts = Counter(names)
    keys = [
        name if entry.id or counts[name] == 1 else _slug(f"{entry.path.absolute().parent.name}-{name}")
        for name, entry in zip(names, entries, strict=True)
    ]
    first: dict[str, int] = {}
    for index, (key, entry) in enumerate(zip(keys, entries, strict=True)):
        if first.setdefault(key, index) != index:
            other = entries[first[key]].path
            problems.append(
                f"{entry.path}: would be called {key!r} like {other}; give one an id in a batch file ({PAGE})"
            )
    return keys


def _slug(name: str) -> str:
    return _NOT_OF_KEYS.sub("-", name.lower()).strip("-")[:KEY_CHARS].strip("-") or "project"


def _named_after(paths: Sequence[Path]) -> str:
    """The name of the only file, of the folder that has all of them, or how many there are."""
    if len(paths) == 1:
        return paths[0].stem[:_NAME_CHARS]
    folders = {path.absolute().parent for path in paths}
    name = next(iter(folders)).name if len(folders) == 1 else ""
    return name[:_NAME_CHARS] or f"{len(paths)} projects"


def _raise(problems: Sequence[str]) -> None:
    """Raises UserInputError where there are problems."""
    if len(problems) > _MAX_PROBLEMS:
        problems = [*problems[:_MAX_PROBLEMS], f"and {len(problems) - _MAX_PROBLEMS} errors more"]
    if len(problems) == 1:
        raise UserInputError(problems[0])
    if problems:
        raise UserInputErrors(problems)
