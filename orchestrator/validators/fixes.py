"""Automatic fixes that change no behaviour: what is stored is the fixed form."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.validators.inside import script
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.static_checks import MAX_FILE_BYTES

LIMITS = Limits(wall_s=30, cpu_s=30, memory_bytes=512 * MIB, processes=64, disk_bytes=64 * MIB, output_bytes=MIB)
_REPORT = ".orch-fixed"
# Formats whose last line ends like all others; in any other file a missing end may be meant.
_LINES = (
    ".py", ".pyi", ".md", ".txt", ".toml", ".yaml", ".yml", ".json", ".html", ".htm", ".css", ".scss", ".js", ".jsx",
    ".mjs", ".cjs", ".ts", ".tsx", ".sql", ".sh", ".cfg", ".ini",
)  # fmt: skip
_NAMES = {"Dockerfile", ".gitignore", ".dockerignore", "Makefile", ".env.example"}


async def fixed(files: Mapping[str, bytes], sandbox: Sandbox) -> dict[str, bytes]:
    """`files` with safe fixes: unused imports gone, line ends mended; the same paths, in their order.

    Names of a package's `__init__.py` are its interface and stay. Python is left alone where no tool can run here
    (no sandbox, no tools, a limit was hit): fixing is a kindness, the checks will tell.
    """
    result = {path: _with_last_line_end(path, content) for path, content in files.items()}
    sources = {
        path: content
        for path, content in result.items()
        if path.endswith(".py") and 0 < len(content) <= MAX_FILE_BYTES and _is_text(content)
    }
    if sources and sandbox.kind:
        result.update(await _fixed_python(sources, sandbox))
    return result


async def _fixed_python(sources: Mapping[str, bytes], sandbox: Sandbox) -> dict[str, bytes]:
    paths = json.dumps(sorted(sources))
    command = [
        "{tools}/bin/python",
        "-I",
        "-c",
        script("fix_python.py"),
        "{tools}/bin/ruff",
        paths,
        f"{{tmp}}/{_REPORT}",
    ]
    try:
        run = await sandbox.run(command, sources, LIMITS, collect=[_REPORT])
        texts = json.loads(run.files.get(_REPORT, b"{}"))
    except (PrerequisiteError, ValueError):
        return {}
    return {path: text.encode() for path, text in texts.items() if path in sources}


def _with_last_line_end(path: str, content: bytes) -> bytes:
    name = PurePosixPath(path)
    ends = name.suffix.lower() in _LINES or name.name in _NAMES
    if not ends or not content or content.endswith(b"\n") or not _is_text(content):
        return content
    return content + (b"\r\n" if b"\r\n" in content else b"\n")


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False
