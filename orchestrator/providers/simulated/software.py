"""The software that simulated models know by heart, and the stand-in for everything else."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path, PurePosixPath

from orchestrator.domain.answers import ArchitectureAnswer, PlanAnswer, PlannedTask, Suggestion
from orchestrator.domain.base import Frozen
from orchestrator.providers.simulated.fences import normalised

NOTICE = "Written by simulated models; this does not implement the request."

_APPS = Path(__file__).parent / "apps"
_KNOWN = ("rate_limiter", "todo_cli", "csv_report")
_GENERIC = "generic"
_GENERIC_PACKAGE = "generic_demo"
_REQUEST_MARK = "REQUEST_LINE"
_REQUEST_CHARS = 200
_NAME_WORDS = 3
_NAME_CHARS = 30
# What we know is plain Python: a request that names another language or a framework is not answered with it.
_ELSEWHERE = re.compile(
    r"\b(java|javascript|typescript|node(\.?js)?|react|vue|angular|svelte|rust|golang|in go|ruby|php|kotlin|swift"
    r"|scala|elixir|flask|fastapi|django|redis|nginx|html|web|website|mobile|android|ios|gui|rest[ -]api)\b|\bc(\+\+|#)"
)
# Words of a request that say nothing about what is built.
_FILLER = re.compile(
    r"\b(an?|and|app|application|build|code|create|develop|for|i|implement|in|make|me|my|need|of|please|program|python"
    r"|script|simple|small|software|some|that|the|to|tool|using|want|which|with|write)\b"
)


class Slip(Frozen):
    """A small mistake that compiles: `old` occurs once in the file; with `new` instead the tests fail."""

    file: str
    old: str
    new: str


class _Description(Frozen):
    """`plan.json` of an app. `match`: the request is for this app if all of these patterns occur in it."""

    match: tuple[str, ...]
    architecture: ArchitectureAnswer
    suggestions: tuple[Suggestion, ...]
    tasks: tuple[PlannedTask, ...]
    slips: tuple[Slip, ...]


class Software(_Description):
    """A plan and every file of it as it should be."""

    files: dict[str, str]

    def plan(self) -> PlanAnswer:
        """The plan as a planning model answers."""
        return PlanAnswer(tasks=list(self.tasks))

    def file(self, path: str) -> str:
        """The file as it should be; a placeholder where a plan of somebody else asks for an unknown one."""
        return self.files.get(path) or _placeholder(path)


@lru_cache(maxsize=64)
def software_for(request: str) -> Software:
    """What simulated models write for this project text."""
    text = unicodedata.normalize("NFKC", request).lower()
    if not _ELSEWHERE.search(text):
        for name in _KNOWN:
            known = _load(name)
            if all(re.search(pattern, text) for pattern in known.match):
                return known
    return _stand_in(request)


def package_name(request: str) -> str:
    """A safe identifier made of words of the request; its ending keeps it apart from every known module."""
    ascii_text = unicodedata.normalize("NFKD", request[:2000]).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", _FILLER.sub(" ", ascii_text.lower()))
    stem = "_".join(words[:_NAME_WORDS])[:_NAME_CHARS].strip("_") or "request"
    return f"{'p' if stem[0].isdigit() else ''}{stem}_demo"


@lru_cache(maxsize=len(_KNOWN) + 1)
def _load(name: str) -> Software:
    folder = _APPS / name
    described = _Description.model_validate_json((folder / "plan.json").read_text(encoding="utf-8"))
    owned = [path for task in described.tasks for path in task.files]
    files = {path: (folder / "files" / path).read_text(encoding="utf-8") for path in owned}
    return Software(**dict(described), files=files)


def _stand_in(request: str) -> Software:
    generic, name = _load(_GENERIC), package_name(request)
    renamed = Software.model_validate_json(generic.model_dump_json().replace(_GENERIC_PACKAGE, name))
    readme = renamed.files["README.md"].replace(_REQUEST_MARK, _one_line(request))
    return renamed.model_copy(update={"files": {**renamed.files, "README.md": readme}})


def _one_line(request: str) -> str:
    """The request as harmless text on one line of Markdown."""
    visible = "".join(ch if unicodedata.category(ch)[0] not in "CZ" else " " for ch in request[:4000])
    line = " ".join(visible.split())[:_REQUEST_CHARS]
    return re.sub(r"([\\`*_<>\[\]#|!&])", r"\\\1", line) or "(nothing that can be shown)"


def _placeholder(path: str) -> str:
    name, suffix = PurePosixPath(path).name, PurePosixPath(path).suffix
    if suffix == ".py":
        test = "\n\n\ndef test_placeholder() -> None:\n    assert __doc__\n" if "test" in name else ""
        return normalised(f'"""{NOTICE}"""{test}')
    if suffix == ".json":
        return f'{{"notice": "{NOTICE}"}}\n'
    if suffix in (".toml", ".yaml", ".yml", ".cfg", ".ini", ".sh", ".txt"):
        return f"# {NOTICE}\n"
    return f"{NOTICE}\n"
