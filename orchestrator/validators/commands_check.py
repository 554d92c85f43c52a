"""Commands of the user's own: each must end well in the sandbox, over all files together."""

import re
from collections.abc import Mapping

from orchestrator.domain.apps import UserCommand
from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.limits import MIB, Limits
from orchestrator.validators.results import clean, not_applicable, result, stopped
from orchestrator.validators.subject import Subject

NAME = "commands"
LIMITS = Limits(cpu_s=1800, memory_bytes=2048 * MIB, processes=1024, disk_bytes=1024 * MIB, output_bytes=4 * MIB)
_PLACE = re.compile(  # each alternative starts at one place only: hostile output must not make it slow
    r'File "(?P<file>[^"\n]{1,400})", line (?P<row>\d{1,7})'
    r"|(?<![\w./@-])(?P<path>[\w./@-]{1,400}?)[:(](?P<line>\d{1,7})(?!\d)"
)
_LOOKED_AT_CHARS = 20_000
_SAID_CHARS = 1500


async def check_commands(subject: Subject) -> CheckResult:
    """FAILED where one of them ends with another exit code than 0, or takes too long."""
    if not subject.commands:
        return not_applicable(NAME, "no commands of the user's own")
    findings: list[Finding] = []
    duration_s = 0.0
    for command in subject.commands:
        checked = await _performed(command, subject)
        duration_s += checked.duration_s
        findings += [item.model_copy(update={"rule": command.name}) for item in checked.findings]
    return result(NAME, findings, round(duration_s, 3))


async def _performed(command: UserCommand, subject: Subject) -> CheckResult:
    limits = LIMITS.model_copy(update={"wall_s": command.timeout_s})
    run = await subject.run(["/bin/sh", "-c", command.run], limits, environment={"CI": "1"})
    if run.limit:
        return stopped(NAME, run.limit, limits, run.duration_s, clean(command.run)[:200])
    if run.exit_code == 0:
        return result(NAME, [], run.duration_s)
    said = f"{run.stdout}\n{run.stderr}".strip()
    path, line = place_in(said, subject.files)
    message = f"`{command.run[:200]}` ended with exit code {run.exit_code}\n{said[-_SAID_CHARS:]}"
    return result(NAME, [Finding(validator=NAME, path=path, line=line, message=clean(message))], run.duration_s)


def place_in(said: str, files: Mapping[str, bytes]) -> tuple[str, int]:
    """The last file of ours that some output speaks of, with the line; empty and 0 where it names none."""
    path, line = "", 0
    for match in _PLACE.finditer(said[-_LOOKED_AT_CHARS:]):
        name = (match["file"] or match["path"]).rpartition("/workspace/")[2].removeprefix("./")
        if name in files:
            path, line = name, int(match["row"] or match["line"])
    return path, line
