"""Files in a model's answer: each in a fence that names its path, in one of the ways in which models do that."""

import re
from collections.abc import Collection

from orchestrator.domain.answer_text import AnswerError, Block, scan
from orchestrator.domain.base import Frozen
from orchestrator.domain.paths import MAX_PATH_BYTES, UnsafePathError, normalise_path

MAX_FILE_BYTES = 1024 * 1024
MAX_NOTES = 20
_SHOWN_NAMES = 5
_SHOWN_CHARS = 80
_WRITTEN_OUT = (".md", ".markdown", ".txt", ".rst")  # prose without a fence can be such a file
_SHELL = {"bash", "sh", "shell", "zsh", "fish", "console", "shell-session", "powershell", "cmd", "terminal"}
_SHELL_FILES = (".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".cmd")
_LANGUAGE_FILES = {
    "python": (".py", ".pyi"), "py": (".py",), "json": (".json",), "markdown": _WRITTEN_OUT, "md": _WRITTEN_OUT,
    "yaml": (".yaml", ".yml"), "yml": (".yaml", ".yml"), "toml": (".toml",), "html": (".html", ".htm"),
    "css": (".css",), "javascript": (".js", ".mjs", ".cjs"), "js": (".js", ".mjs", ".cjs"), "jsx": (".jsx",),
    "typescript": (".ts",), "ts": (".ts",), "tsx": (".tsx",), "sql": (".sql",), "go": (".go",), "rust": (".rs",),
    "text": (".txt",), "ini": (".ini", ".cfg"), "xml": (".xml",), "dockerfile": ("Dockerfile",),
    "makefile": ("Makefile",), "java": (".java",), "csv": (".csv",),
}  # fmt: skip
_ATTRIBUTE = re.compile(
    r"""(?:^|[\s{,])(?:path|file|filename|title|name)\s*[=:]\s*("[^"]+"|'[^']+'|[^\s,}]+)""", re.IGNORECASE
)
_PREFIX = re.compile(r"^(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+)?(?:\*\*|__)?(?:(?:file|filename|path)\s*:\s*)?", re.I)
_COMMENT = re.compile(
    r"^\s*(?:#|//|--|;|%|/\*|<!--)\s*(?:(?:file|filename|path)\s*:\s*)?(\S+?)\s*(?:\*/|-->)?\s*$", re.IGNORECASE
)
_EXTENSION = re.compile(r"[^./\s]\.(?!\d+$)[A-Za-z0-9_]{1,10}$")


class ParsedFiles(Frozen):
    """Files by normalised path, and what was refused, dropped or guessed."""

    files: dict[str, str]
    notes: tuple[str, ...] = ()


class _Named(Frozen):
    """What a block says about its path; `sure`: the fence itself names it."""

    raw: str
    sure: bool
    first_line: bool = False  # a comment in the first line names it, and is no part of the file


def parse_files(text: str, targets: tuple[str, ...], kept: Collection[str] = ()) -> ParsedFiles:
    """The files of `targets` (normalised paths that the task owns) in `text`.

    Targets in `kept` exist already and may be left out. Other files, and paths that must not be written, are
    dropped with a note. Raises AnswerError where a target is missing, a fence is not closed, nothing was found, or
    a limit (1 MiB per file, 200 blocks) is exceeded.
    """
    scanned = scan(text)
    collected = _Collected(targets)
    for block in scanned.blocks:
        collected.take(block)
    files = collected.finish(scanned.prose)
    missing = [target for target in targets if target not in files and target not in kept]
    if missing or not files:
        raise AnswerError(_missing(missing or list(targets)))
    return ParsedFiles(files=files, notes=tuple(collected.notes[:MAX_NOTES]))


class _Collected:
    """The files found so far."""

    def __init__(self, targets: tuple[str, ...]) -> None:
        self.notes: list[str] = []
        self._targets = targets
        self._files: dict[str, str] = {}
        self._sure: set[str] = set()
        self._unnamed: list[Block] = []

    def take(self, block: Block) -> None:
        """Sort one block in."""
        named = _name_of(block, self._targets)
        if not block.closed:
            what = f" of {named.raw[:_SHOWN_CHARS]!r}" if named else ""
            raise AnswerError(f"the code block{what} is not closed: the answer is cut off or its fence is missing")
        if named is None:
            self._unnamed.append(block)
            return
        try:
            path = normalise_path(named.raw)
        except UnsafePathError as error:
            self.notes.append(f"refused file {named.raw[:_SHOWN_CHARS]!r}: {error}")
            return
        target = _resolve(path, self._targets)
        if target is None:
            self.notes.append(f"dropped file {path[:_SHOWN_CHARS]!r}: not a file of this task")
            return
        if target != path:
            self.notes.append(f"took {path[:_SHOWN_CHARS]!r} for {target!r}")
        self._put(target, block.content.split("\n", 1)[1] if named.first_line else block.content, named.sure)

    def finish(self, prose: str) -> dict[str, str]:
        """All files, those included that only the circumstances name."""
        target = self._targets[0] if len(self._targets) == 1 else None
        if target is not None and target not in self._files:
            block = self._only_candidate(target)
            if block is not None:
                self._put(target, block.content, sure=False)
            elif not self._unnamed and prose and target.endswith(_WRITTEN_OUT):
                self._put(target, f"{prose}\n", sure=False)
                self.notes.append(f"took the whole answer for {target!r}")
        return {path: self._files[path] for path in self._targets if path in self._files}

    def _only_candidate(self, target: str) -> Block | None:
        possible = [block for block in self._unnamed if _fits(block, target)]
        if len(possible) > 1:
            own = [block for block in possible if target.endswith(_LANGUAGE_FILES.get(block.language, ("\0",)))]
            possible = own or possible
        if len(possible) > 1:
            raise AnswerError(f"{len(possible)} code blocks without a path: name the file of each")
        return possible[0] if possible else None

    def _put(self, target: str, content: str, sure: bool) -> None:
        if len(content.encode()) > MAX_FILE_BYTES:
            raise AnswerError(f"{target!r} is larger than {MAX_FILE_BYTES} bytes")
        if target in self._files:
            if target in self._sure and not sure:
                return
            self.notes.append(f"{target!r} was given more than once, the last one counts")
        self._files[target] = content
        if sure:
            self._sure.add(target)


def _name_of(block: Block, targets: tuple[str, ...]) -> _Named | None:
    """How the block is named: by its fence, by the line before it, or by a comment in its first line."""
    raw = _in_info(block.info, targets)
    if raw:
        return _Named(raw=raw, sure=True)
    raw = _in_lead(block.lead, targets)
    if raw and _fits(block, raw):
        return _Named(raw=raw, sure=False)
    comment = _COMMENT.match(block.content.split("\n", 1)[0][:MAX_PATH_BYTES])
    if comment and _resolve_raw(comment[1], targets):
        return _Named(raw=comment[1], sure=False, first_line=True)
    return None


def _in_info(info: str, targets: tuple[str, ...]) -> str:
    attribute = _ATTRIBUTE.search(info)
    if attribute:
        return attribute[1].strip("\"'")
    words = [part for word in info.split() for part in (word, word.partition(":")[2]) if part]
    owned = [word for word in words if word in targets]
    return next(iter(owned or [word for word in words if _is_path_like(word)]), "")


def _in_lead(lead: str, targets: tuple[str, ...]) -> str:
    whole = _PREFIX.sub("", lead, count=1).strip("*_`: ")
    if whole in targets or (" " not in whole and _is_path_like(whole)):
        return whole
    words = {word.rstrip(":,.;") for word in re.split(r"[\s`*\"'()]+", lead)}
    owned = [target for target in targets if target in words]
    return owned[0] if len(owned) == 1 else ""


def _is_path_like(word: str) -> bool:
    if any(mark in word for mark in "{}=<>\"'`:") or "://" in word:
        return False
    return "/" in word.strip("/") or word.startswith("/") or bool(_EXTENSION.search(word))


def _fits(block: Block, path: str) -> bool:
    """False for commands to type, unless the file is a script."""
    return block.language not in _SHELL or path.endswith(_SHELL_FILES) or "." not in path.rsplit("/", 1)[-1]


def _resolve(path: str, targets: tuple[str, ...]) -> str | None:
    """The target that `path` means: itself, or the only one that differs by leading folders."""
    if path in targets:
        return path
    alike = [target for target in targets if target.endswith(f"/{path}") or path.endswith(f"/{target}")]
    return alike[0] if len(alike) == 1 else None


def _resolve_raw(raw: str, targets: tuple[str, ...]) -> str | None:
    try:
        return _resolve(normalise_path(raw), targets)
    except UnsafePathError:
        return None


def _missing(paths: list[str]) -> str:
    names = ", ".join(path[:_SHOWN_CHARS] for path in paths[:_SHOWN_NAMES])
    more = f" and {len(paths) - _SHOWN_NAMES} more" if len(paths) > _SHOWN_NAMES else ""
    return f"missing files: {names}{more}; give each complete file in a fence with path=<path>"
