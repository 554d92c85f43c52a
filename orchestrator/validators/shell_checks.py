"""Shell scripts and Dockerfiles, by shellcheck and hadolint: what is wrong, not what could be nicer."""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped, unchecked
from orchestrator.validators.subject import Subject

LIMITS = Limits(wall_s=30, cpu_s=30, memory_bytes=1024 * MIB, processes=64, disk_bytes=64 * MIB, output_bytes=4 * MIB)
_SHEBANG = re.compile(rb"^#!\s*\S*\b(sh|bash|dash|ksh)\b")
_BASH_ERROR = re.compile(r"^(?P<path>[^:\n]+): line (?P<line>\d+): (?P<message>.*)$", re.MULTILINE)
_MAX_LINES = 500  # of a Dockerfile that are looked at for what they copy
_COPY = re.compile(r"^\s*(?:COPY|ADD)\s+(?P<rest>.+)$", re.IGNORECASE)


async def check_shell(subject: Subject) -> CheckResult:
    """Scripts without errors: shellcheck's word, or bash's where shellcheck cannot be installed."""
    paths = sorted(shell_files(subject.own_files("")))
    if not paths:
        return not_applicable("shell", "no shell scripts")
    files = {path: subject.files[path] for path in paths}
    try:
        command = [
            "{tools}/bin/shellcheck",
            "--format=json",
            "--severity=error",
            "--norc",
            "--shell=bash",
            "--",
            *paths,
        ]
        command = [word for word in command if word != "--shell=bash" or not all(map(_has_shebang, files.values()))]
        run = await subject.sandbox.run(command, files, LIMITS, tools="shell")
    except PrerequisiteError:
        return await _check_by_bash(subject, files)
    if run.limit:
        return stopped("shell", run.limit, LIMITS, run.duration_s)
    try:
        items = json.loads(run.stdout)
        findings = [
            _finding("shell", item["file"], item["line"], f"SC{item['code']}", item["message"], files) for item in items
        ]
    except (ValueError, TypeError, KeyError):
        return unchecked("shell", f"shellcheck ended with exit code {run.exit_code}: {run.stderr.strip()[-150:]}")
    return result("shell", findings, run.duration_s)


def shell_files(files: Mapping[str, bytes]) -> list[str]:
    """Scripts by their suffix or their first line."""
    return [
        path
        for path, content in files.items()
        if path.endswith((".sh", ".bash")) or ("." not in PurePosixPath(path).name and _has_shebang(content))
    ]


async def check_dockerfile(subject: Subject) -> CheckResult:
    """Dockerfiles parse, hold no error that hadolint knows, and copy files that are there."""
    paths = sorted(path for path in subject.own_files("") if is_dockerfile(path))
    if not paths:
        return not_applicable("dockerfile", "no Dockerfile")
    files = {path: subject.files[path] for path in paths}
    command = ["{tools}/bin/hadolint", "--no-fail", "--format=json", "--failure-threshold=error", "--config=/dev/null"]
    run = await subject.sandbox.run([*command, "--", *paths], files, LIMITS, tools="docker")
    if run.limit:
        return stopped("dockerfile", run.limit, LIMITS, run.duration_s)
    try:
        items = [item for item in json.loads(run.stdout) if item["level"] == "error"]
        findings = [
            _finding("dockerfile", item["file"], item["line"], item["code"], item["message"], files) for item in items
        ]
    except (ValueError, TypeError, KeyError):
        return unchecked("dockerfile", f"hadolint ended with exit code {run.exit_code}: {run.stderr.strip()[-150:]}")
    for path in paths:
        findings += _absent_sources(path, files[path].decode(errors="replace"), subject.files)
    return result("dockerfile", findings, run.duration_s)


def is_dockerfile(path: str) -> bool:
    """True for Dockerfile, Dockerfile.dev and web.dockerfile."""
    name = PurePosixPath(path).name.lower()
    return name in ("dockerfile", "containerfile") or name.startswith("dockerfile.") or name.endswith(".dockerfile")


def _absent_sources(path: str, text: str, files: Mapping[str, bytes]) -> Iterator[Finding]:
    """COPY of what is not there, looked for from the workspace and from the Dockerfile's own folder."""
    own = str(PurePosixPath(path).parent)
    for number, line in enumerate(text.splitlines()[:_MAX_LINES], start=1):
        match = _COPY.match(line)
        if match is None or "--from=" in line or "<<" in line or line.rstrip().endswith("\\") or "$" in line:
            continue
        for source in _copied(match["rest"]):
            if not any(_there(source, base, files) for base in {"", "" if own == "." else own}):
                yield _finding(
                    "dockerfile", path, number, "no-such-file", f"COPY of {source!r}, which is not there", files
                )


def _copied(rest: str) -> list[str]:
    try:
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    except ValueError:
        return []
    names = [word for word in words if isinstance(word, str) and not word.startswith("--")]
    return [name for name in names[:-1] if "://" not in name]


def _there(source: str, base: str, files: Mapping[str, bytes]) -> bool:
    plain = source.removeprefix("./").strip("/")
    if plain in ("", "."):
        return True
    full = f"{base}/{plain}".lstrip("/")
    return any(path == full or path.startswith(f"{full}/") or fnmatch.fnmatch(path, full) for path in files)


async def _check_by_bash(subject: Subject, files: Mapping[str, bytes]) -> CheckResult:
    findings: list[Finding] = []
    for path in files:
        run = await subject.sandbox.run(["bash", "-n", "--", path], files, LIMITS)
        if run.limit:
            return stopped("shell", run.limit, LIMITS, run.duration_s, path)
        if run.exit_code == 127:
            return unchecked("shell", "neither shellcheck nor bash is to be had")
        found = [
            _finding("shell", path, int(m["line"]), "syntax", m["message"], files)
            for m in _BASH_ERROR.finditer(run.stderr)
        ]
        if run.exit_code:
            findings += found or [_finding("shell", path, 0, "syntax", run.stderr, files)]
    return result("shell", findings)


def _has_shebang(content: bytes) -> bool:
    return _SHEBANG.match(content) is not None


def _finding(name: str, path: str, line: int, rule: str, message: str, files: Mapping[str, bytes]) -> Finding:
    return Finding(
        validator=name, path=path if path in files else "", line=max(0, line), rule=clean(rule), message=clean(message)
    )
