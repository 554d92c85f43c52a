"""What package.json files ask for: names and version ranges, and nothing else."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name

from orchestrator.domain.apps import DependencyPolicy
from orchestrator.domain.findings import Finding
from orchestrator.validators.environments.installer import without_credentials
from orchestrator.validators.environments.requirements import MAX_REQUIREMENTS, NAME
from orchestrator.validators.results import clean

_GROUPS = ("dependencies", "devDependencies", "optionalDependencies")
_PACKAGE = re.compile(r"^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$")
_RANGE = re.compile(r"^[\w.^~<>=*| +-]{0,100}$")
_SOURCES = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")
_MAX_BYTES = 1024 * 1024
_LINE_COMMENT = re.compile(r"^[ \t]*//[^\n]*", re.MULTILINE)
_SOURCE_BYTES = 256 * 1024
_CONFIG_BYTES = 16 * 1024
_MAX_ENTRIES = 2 * MAX_REQUIREMENTS
_IMPORTS = re.compile(
    r"""(?:^|[;\s}])(?:import|export)\s[^'"`;]{0,300}?\bfrom\s*['"]([^'"\n]+)['"]"""
    r"""|^[ \t]*import\s*['"]([^'"\n]+)['"]|\b(?:require|import)\(\s*['"]([^'"\n]+)['"]\s*\)""",
    re.MULTILINE,
)
_BUILT_IN = frozenset(
    re.findall(
        r"\w+",
        "assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns domain "
        "events fs http http2 https inspector module net os path perf_hooks process punycode querystring readline repl "
        "stream string_decoder sys timers tls trace_events tty url util v8 vm wasi worker_threads zlib",
    )
)


@dataclass
class NodeWishes:
    """What one package.json asks for. `ranges`: package to version range, by group; `lines`: where it is written."""

    folder: str
    ranges: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: str = ""
    lines: dict[str, tuple[str, int]] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    unknown: list[tuple[str, str, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The manifest."""
        return f"{self.folder}/package.json".lstrip("/")

    @property
    def names(self) -> set[str]:
        """All packages that are asked for."""
        return {name for group in self.ranges.values() for name in group}

    def manifest(self) -> str:
        """A package.json that asks for them and does nothing."""
        return json.dumps({"name": "checked", "version": "1.0.0", "private": True, **self.ranges}, sort_keys=True)

    def without(self, names: set[str]) -> None:
        """Leave these packages out, and the lock, which has them."""
        self.ranges = {
            group: {name: wanted for name, wanted in wishes.items() if name not in names}
            for group, wishes in self.ranges.items()
        }
        self.resolved -= names
        self.lock = ""

    def finding(self, name: str, rule: str, message: str) -> Finding:
        """A finding where `name` is asked for."""
        path, line = self.lines.get(name, (self.path, 0))
        return Finding(validator=NAME, path=path, line=line, rule=rule, message=clean(without_credentials(message)))


def node_wishes(files: Mapping[str, bytes], policy: DependencyPolicy) -> list[NodeWishes]:
    """What each package.json among the files asks for, undeclared imports of well-known packages included."""
    folders = [
        _folder_of(path)
        for path in sorted(files)
        if PurePosixPath(path).name == "package.json" and "node_modules" not in PurePosixPath(path).parts
    ]
    found = []
    for folder in folders:
        wishes = NodeWishes(folder)
        data = _manifest(files[wishes.path], wishes)
        if data is not None:
            _declared(data, files[wishes.path].decode(errors="replace"), policy, wishes)
            _imported(files, folders, str(data.get("name", "")), policy, wishes)
            wishes.lock = (
                _lock(files.get(f"{folder}/package-lock.json".lstrip("/"), b"")) if not wishes.resolved else ""
            )
        found.append(wishes)
    return found


@lru_cache(maxsize=1)
def well_known() -> frozenset[str]:
    """Packages that an import may name undeclared."""
    text = resources.files("orchestrator.validators.environments").joinpath("node-packages.txt").read_text()
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _manifest(content: bytes, wishes: NodeWishes) -> dict[str, Any] | None:
    try:
        data = json.loads(content[:_MAX_BYTES].decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        wishes.findings.append(wishes.finding("", "invalid-manifest", f"package.json cannot be read: {error}"))
        return None
    if isinstance(data, dict):
        return data
    wishes.findings.append(wishes.finding("", "invalid-manifest", "package.json holds no object"))
    return None


def _declared(data: dict[str, Any], text: str, policy: DependencyPolicy, wishes: NodeWishes) -> None:
    lines = text.splitlines()
    for group in _GROUPS:
        entries = data.get(group)
        for name, wanted in islice(entries.items(), _MAX_ENTRIES) if isinstance(entries, dict) else ():
            line = next((number for number, row in enumerate(lines, start=1) if f'"{name}"' in row), 0)
            wishes.lines[name] = (wishes.path, line)
            if not _PACKAGE.match(name):
                wishes.findings.append(
                    wishes.finding(name, "invalid-requirement", f"{name[:100]!r} is no package name")
                )
            elif not isinstance(wanted, str) or not _RANGE.match(wanted):
                message = f"{name} from {str(wanted)[:100]!r} is not installed: only versions from the registry are"
                wishes.findings.append(wishes.finding(name, "refused-address", message))
            else:
                _want(name, wanted, group, policy, wishes)


def denied(name: str, policy: DependencyPolicy) -> bool:
    """Whether the policy denies a package; it may spell the name as distributions of Python are spelled."""
    return canonicalize_name(name) in {canonicalize_name(each) for each in policy.denied}


def _want(name: str, wanted: str, group: str, policy: DependencyPolicy, wishes: NodeWishes) -> None:
    if denied(name, policy):
        message = f"{name} is denied by the project's policy"
        wishes.findings.append(wishes.finding(name, "denied", message))
    elif policy.allowed and canonicalize_name(name) not in {canonicalize_name(each) for each in policy.allowed}:
        message = f"{name} is not among the packages that the project's policy allows: {', '.join(policy.allowed)}"
        wishes.findings.append(wishes.finding(name, "not-allowed", message))
    elif len(wishes.names) >= MAX_REQUIREMENTS:
        message = f"more than {MAX_REQUIREMENTS} packages: {name} is not installed"
        wishes.findings.append(wishes.finding(name, "too-many", message))
    else:
        pinned = {canonicalize_name(each): version for each, version in policy.pinned.items()}
        wishes.ranges.setdefault(group, {})[name] = pinned.get(canonicalize_name(name), wanted)


def _imported(
    files: Mapping[str, bytes], folders: list[str], own_name: str, policy: DependencyPolicy, wishes: NodeWishes
) -> None:
    """Imports of the files that belong to this package.json and that it does not declare."""
    aliases = _aliases(files, wishes.folder)
    for path in sorted(path for path in files if path.endswith(_SOURCES)):
        if _owner(path, folders) != wishes.folder or "node_modules" in PurePosixPath(path).parts:
            continue
        for specifier, line in imports(files[path]):
            name = package_of(specifier)
            if not name or name in wishes.lines or name == own_name or specifier.startswith(aliases):
                continue
            wishes.lines[name] = (path, line)
            if name in well_known():
                wishes.resolved.add(name)
                _want(name, "*", "dependencies", policy, wishes)
            else:
                wishes.unknown.append((name, path, line))
    wishes.resolved &= wishes.names


def imports(source: bytes) -> Iterator[tuple[str, int]]:
    """What a source of JavaScript or TypeScript imports, with the lines. Read by pattern: good enough for names."""
    text = _without_comments(source[:_SOURCE_BYTES].decode(errors="replace"))
    for match in _IMPORTS.finditer(text):
        specifier = match[1] or match[2] or match[3]
        yield specifier, text.count("\n", 0, match.end()) + 1


def _without_comments(text: str) -> str:
    """The same lines without comments; in one pass, as the text may be made to take long."""
    parts, position = [], 0
    while (start := text.find("/*", position)) >= 0:
        end = text.find("*/", start + 2)
        end = len(text) if end < 0 else end + 2
        parts += [text[position:start], "\n" * text.count("\n", start, end)]
        position = end
    return _LINE_COMMENT.sub("", "".join([*parts, text[position:]]))


def package_of(specifier: str) -> str:
    """The package that an import names; empty for a file, an alias, a part of Node, or what is no package."""
    parts = specifier.split("/")
    name = "/".join(parts[:2]) if specifier.startswith("@") else parts[0]
    return name if _PACKAGE.match(name) and name not in _BUILT_IN else ""


def _aliases(files: Mapping[str, bytes], folder: str) -> tuple[str, ...]:
    """Beginnings of imports that the compiler's configuration leads to own files."""
    text = files.get(f"{folder}/tsconfig.json".lstrip("/"), b"")[:_CONFIG_BYTES].decode(errors="replace")
    found = re.search(r'"paths"\s*:\s*\{(.*?)\}', text, re.DOTALL)
    keys = re.findall(r'"([^"]+)"\s*:', found[1]) if found else []
    return ("@/", "~/", "#", *(key.removesuffix("*") for key in keys if key != "*"))


def _lock(content: bytes) -> str:
    """A lock without addresses: packages come from the index that we were told, and integrity still holds."""
    try:
        data = json.loads(content[: 8 * _MAX_BYTES].decode())
        packages = data["packages"]
        for name, entry in packages.items():
            if name and (
                entry.get("link") or "name" in entry or not _RANGE.match(entry["version"]) or "integrity" not in entry
            ):
                return ""
            entry.pop("resolved", None)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
    packages[""] = {**packages.get("", {}), "name": "checked", "version": "1.0.0"}
    return json.dumps({**data, "name": "checked", "version": "1.0.0"})


def _folder_of(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def _owner(path: str, folders: list[str]) -> str | None:
    """The nearest folder above `path` that has a package.json."""
    above = [folder for folder in folders if not folder or path.startswith(f"{folder}/")]
    return max(above, key=len, default=None)
