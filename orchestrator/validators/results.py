"""How validators build their results."""

import re
from collections.abc import Sequence

from orchestrator.domain.findings import CheckResult, CheckStatus, Finding
from orchestrator.validators.limits import Limits

MAX_MESSAGE_CHARS = 2000
MAX_FINDINGS = 100
_CONTROL = re.compile(r"[^\n\t\x20-\x7e\u00a1-\ud7ff\ue000-\U0010ffff]")


def result(validator: str, findings: Sequence[Finding], duration_s: float = 0.0) -> CheckResult:
    """FAILED with the findings (the first hundred), or PASSED without any."""
    status = CheckStatus.FAILED if findings else CheckStatus.PASSED
    too_many = len(findings) > MAX_FINDINGS
    return CheckResult(
        validator=validator,
        status=status,
        findings=tuple(findings[:MAX_FINDINGS]),
        reason=f"{len(findings)} findings, the first {MAX_FINDINGS} kept" if too_many else "",
        duration_s=duration_s,
    )


def unchecked(validator: str, reason: str) -> CheckResult:
    """The validator could not run here."""
    return CheckResult(validator=validator, status=CheckStatus.UNCHECKED, reason=clean(reason)[:200])


def not_applicable(validator: str, reason: str) -> CheckResult:
    """There is nothing for the validator to look at."""
    return CheckResult(validator=validator, status=CheckStatus.NOT_APPLICABLE, reason=reason)


def stopped(validator: str, limit: str, limits: Limits, duration_s: float, doing: str = "") -> CheckResult:
    """FAILED because a limit of the sandbox ended the run; `doing` says what was going on."""
    amounts = {
        "wall": f"{limits.wall_s:g} s of time",
        "cpu": f"{limits.cpu_s:g} s of CPU time",
        "memory": f"{limits.memory_bytes:,} bytes of memory",
        "processes": f"{limits.processes} processes and threads",
        "disk": f"{limits.disk_bytes:,} bytes of disk",
        "output": f"{limits.output_bytes:,} bytes of output",
    }
    message = f"stopped at the {limit} limit: {amounts[limit]}{f' ({doing})' if doing else ''}"
    finding = Finding(validator=validator, path=doing.split("::")[0], rule=f"limit-{limit}", message=message)
    return CheckResult(
        validator=validator,
        status=CheckStatus.FAILED,
        findings=(finding,),
        reason=message[:200],
        limit=limit,
        duration_s=duration_s,
    )


def clean(text: object) -> str:
    """Text from checked code made safe to show: no control characters, bounded length."""
    return _CONTROL.sub("", str(text))[:MAX_MESSAGE_CHARS]
