"""What Python manifests among the files ask for; whatever is no plain requirement is refused, with a finding."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.domain.findings import Finding
from orchestrator.validators.environments.installer import without_credentials
from orchestrator.validators.results import clean

NAME = "dependencies"
MAX_REQUIREMENTS = 200
_MAX_REQUIREMENT_CHARS = 1000
_MAX_MANIFEST_BYTES = 256 * 1024
_REQUIREMENTS = re.compile(r"(^|/)(requirements[\w.-]*\.(txt|in)|requirements/[\w.-]+\.(txt|in))$")
_DEVELOPMENT = re.compile(r"^(dev|develop|development|test|tests|testing|all)$", re.IGNORECASE)
_COMMENT = re.compile(r"(^|\s)#.*$")
_FILE = re.compile(r"\.(whl|zip|egg|tar(\.\w+)?|tgz)$", re.IGNORECASE)
_ADDRESS = re.compile(rf"://|^\.{{0,2}}/|\\|{_FILE.pattern}", re.IGNORECASE)
_HASH = re.compile(r"\s--hash[= ]\S+")
_POETRY_CARET = re.compile(r"^[\^~]\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True)
class Declared:
    """One requirement, and where it is written."""

    requirement: Requirement
    path: str
    line: int

    @property
    def name(self) -> str:
        """Normalised name of the distribution."""
        return canonicalize_name(self.requirement.name)


@dataclass
class Manifests:
    """All requirements of the files, what was refused of them, and the project's own names."""

    declared: list[Declared] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    own_names: set[str] = field(default_factory=set)

    def refuse(self, rule: str, path: str, line: int, message: str) -> None:
        """Note a finding."""
        self.findings.append(
            Finding(validator=NAME, path=path, line=line, rule=rule, message=clean(without_credentials(message)))
        )


def read_manifests(files: Mapping[str, bytes]) -> Manifests:
    """Requirements of every pyproject.toml and requirements file, tests and development included."""
    found = Manifests()
    for path in sorted(files):
        if PurePosixPath(path).name == "pyproject.toml":
            _pyproject(path, files[path], found)
    for path in sorted(files):
        if is_requirements_file(path):
            _requirements_file(path, files[path], found)
    found.declared = [item for item in found.declared if item.name not in found.own_names]
    if len(found.declared) > MAX_REQUIREMENTS:
        extra = found.declared[MAX_REQUIREMENTS]
        message = (
            f"more than {MAX_REQUIREMENTS} requirements: {extra.requirement.name} and what follows is not installed"
        )
        found.refuse("too-many", extra.path, extra.line, message)
        found.declared = found.declared[:MAX_REQUIREMENTS]
    return found


def is_requirements_file(path: str) -> bool:
    """True for names such as requirements.txt, requirements-dev.txt and requirements/base.txt."""
    return _REQUIREMENTS.search(path) is not None


def _pyproject(path: str, content: bytes, found: Manifests) -> None:
    text = content[:_MAX_MANIFEST_BYTES].decode(errors="replace")
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found.refuse("invalid-manifest", path, 0, f"pyproject.toml cannot be read: {error}")
        return
    project = _table(data, "project")
    if name := project.get("name"):
        found.own_names.add(canonicalize_name(str(name)))
    for text_of in islice(_project_requirements(data, project), MAX_REQUIREMENTS + 1):
        _add(text_of, path, _line_of(text, text_of), found)
    for text_of in islice(_poetry_requirements(data), MAX_REQUIREMENTS + 1):
        _add(text_of, path, _line_of(text, re.split(r"[^\w.-]", text_of)[0]), found)


def _project_requirements(data: dict[str, Any], project: dict[str, Any]) -> Iterator[str]:
    yield from _strings(project.get("dependencies"))
    for extra, entries in _table(project, "optional-dependencies").items():
        if _DEVELOPMENT.match(extra):
            yield from _strings(entries)
    for group, entries in _table(data, "dependency-groups").items():
        if _DEVELOPMENT.match(group):
            yield from _strings(entries)


def _poetry_requirements(data: dict[str, Any]) -> Iterator[str]:
    """Poetry's own tables, its carets and tildes as plain ranges."""
    poetry = _table(_table(data, "tool"), "poetry")
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [_table(group, "dependencies") for group in _table(poetry, "group").values() if isinstance(group, dict)]
    for table in tables:
        for name, wanted in table.items():
            if name.lower() == "python":
                continue
            options = wanted if isinstance(wanted, dict) else {"version": wanted}
            if set(options) & {"git", "path", "url"}:
                yield f"{name} @ {next(str(options[key]) for key in ('git', 'path', 'url') if key in options)}"
                continue
            extras = ",".join(_strings(options.get("extras")))
            yield f"{name}{f'[{extras}]' if extras else ''}{_poetry_range(str(options.get('version', '*')))}"


def _poetry_range(version: str) -> str:
    version = version.strip()
    if version in ("", "*"):
        return ""
    caret = _POETRY_CARET.match(version)
    if caret is None:
        return version if version[0] in "<>=!~" else f"=={version}"
    major, minor = int(caret[1]), int(caret[2] or 0)
    below = f"{major}.{minor + 1}" if version[0] == "~" or major == 0 else str(major + 1)
    return f">={version[1:].strip()},<{below}"


def _requirements_file(path: str, content: bytes, found: Manifests) -> None:
    text = content[:_MAX_MANIFEST_BYTES].decode("utf-8-sig", errors="replace")
    number, pending, start = 0, "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).strip()
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        _requirement_line((pending + line).strip(), path, start, found)
        pending = ""
    _requirement_line(pending.strip(), path, start or number, found)


def _requirement_line(line: str, path: str, number: int, found: Manifests) -> None:
    line = _HASH.sub("", line).strip()
    if not line or re.match(r"(-r|-c|--requirement|--constraint)[ =]", line):
        return  # the file that it names is read by itself, if it is one of ours
    if line.startswith("-") or line in (".", "./"):
        found.refuse("refused-option", path, number, f"{line[:100]!r} is not installed: only names and versions are")
        return
    _add(line, path, number, found)


def _add(text: str, path: str, line: int, found: Manifests) -> None:
    if len(found.declared) > MAX_REQUIREMENTS:
        return  # too many already, and told so in the end
    try:
        requirement = Requirement(text) if len(text) <= _MAX_REQUIREMENT_CHARS else None
    except InvalidRequirement:
        requirement = None
    if requirement is None or _FILE.search(requirement.name):
        if _ADDRESS.search(text):
            found.refuse("refused-address", path, line, f"{text[:100]!r} is not installed: only names and versions are")
        else:
            found.refuse("invalid-requirement", path, line, f"{text[:100]!r} is not a requirement")
        return
    if requirement.url:
        found.refuse(
            "refused-address", path, line, f"{requirement.name} from an address is not installed: only from the index"
        )
        return
    found.declared.append(Declared(requirement, path, line))


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _line_of(text: str, part: str) -> int:
    """The first line that holds `part`; 0 where it is spelled in another way."""
    return next((number for number, line in enumerate(text.splitlines(), start=1) if part in line), 0)
