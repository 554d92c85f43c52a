"""Checks that only look at files and run nothing: length and Python syntax."""

import io
import tokenize
import warnings
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.results import clean, not_applicable, result

MAX_FILE_BYTES = 1024 * 1024
MAX_FILES = 500
_MAY_BE_EMPTY = {"__init__.py", "py.typed", ".gitkeep", ".keep"}
_SOURCE_NAME = "<checked source>"
_ENCODINGS = {"utf-8", "utf-8-sig", "ascii", "us-ascii", "iso-8859-1", "iso-8859-15", "cp1252"}

# compile() warns about doubtful code; one filter for our pseudo file alone, since all threads share filters
warnings.filterwarnings("ignore", module=_SOURCE_NAME)


def check_length(files: Mapping[str, bytes], own: Iterable[str]) -> CheckResult:
    """Each own file has 1 byte to 1 MiB (package markers may be empty), and there are at most 500."""
    paths = [path for path in own if path in files]
    if not paths:
        return not_applicable("length", "no files")
    findings: list[Finding] = []
    if len(paths) > MAX_FILES:
        message = f"{len(paths)} files, at most {MAX_FILES} are accepted"
        findings.append(Finding(validator="length", rule="too-many-files", message=message))
    for path in paths:
        size = len(files[path])
        if size == 0 and PurePosixPath(path).name not in _MAY_BE_EMPTY:
            findings.append(Finding(validator="length", path=path, rule="empty", message="the file is empty"))
        elif size > MAX_FILE_BYTES:
            message = f"{size:,} bytes, at most {MAX_FILE_BYTES:,} are accepted"
            findings.append(Finding(validator="length", path=path, rule="too-long", message=message))
    return result("length", findings)


def check_python_syntax(files: Mapping[str, bytes], own: Iterable[str]) -> CheckResult:
    """Each own .py file compiles. Nothing is executed."""
    paths = [path for path in own if path in files and path.endswith(".py")]
    if not paths:
        return not_applicable("python_syntax", "no Python files")
    found = (_syntax_problem(path, files[path]) for path in paths)
    return result("python_syntax", [finding for finding in found if finding is not None])


def _syntax_problem(path: str, source: bytes) -> Finding | None:
    def finding(rule: str, message: str, line: int = 0) -> Finding:
        return Finding(validator="python_syntax", path=path, line=line, rule=rule, message=clean(message))

    if len(source) > MAX_FILE_BYTES:
        return finding("too-long", f"{len(source):,} bytes are too many to be checked")
    if b"\0" in source:
        return finding("null-byte", "the source contains null bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        if encoding.lower() not in _ENCODINGS:
            return finding("encoding", f"source encoding {encoding!r} is not accepted: use UTF-8", 1)
        compile(source, _SOURCE_NAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        return finding("syntax", error.msg or "invalid syntax", error.lineno or 0)
    except (RecursionError, MemoryError):
        return finding("too-deep", "the source is nested too deeply to be compiled")
    except (ValueError, OverflowError) as error:
        return finding("syntax", str(error))
    return None
