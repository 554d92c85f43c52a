"""Keys and passwords that must not be in a published file, found by their well-known forms."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from itertools import islice

from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.results import MAX_FINDINGS, not_applicable, result
from orchestrator.validators.static_checks import MAX_FILE_BYTES
from orchestrator.validators.subject import Subject

NAME = "secrets"
_SHOWN_CHARS = 4
_FORMS: dict[str, str] = {
    "private-key": (
        r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP |ENCRYPTED )?PRIVATE KEY(?: BLOCK)?-----\s*\n"
        r"(?:[A-Za-z0-9+/=:., -]+\n){2}"
    ),
    "aws-access-key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "github-token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,90})\b",
    "gitlab-token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "slack-token": r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "slack-webhook": r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
    "google-api-key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "stripe-key": r"\b(?:sk|rk)_live_[0-9a-zA-Z]{20,}\b",
    "anthropic-key": r"\bsk-ant-[A-Za-z0-9_-]{32,}",
    "openai-key": r"\bsk-(?:proj-)?[A-Za-z0-9_-]{40,}",
    "npm-token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi-token": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "sendgrid-key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
    "twilio-key": r"\bSK[0-9a-f]{32}\b",
    "address-with-password": (
        r"\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|rediss?|amqps?)://[^\s:/@'\"]+:(?P<word>[^\s:/@'\"${}]{8,})"
        r"@(?!localhost|127\.0\.0\.1)[\w-]+\.[\w.-]+"
    ),
}
_PATTERN = re.compile("|".join(f"(?P<{name.replace('-', '_')}>{form})" for name, form in _FORMS.items()))
_PLACEHOLDER = re.compile(
    r"example|placeholder|change-?me|your|dummy|sample|password|secret|redacted|x{6,}|\*{3,}|0{8,}|1234567",
    re.IGNORECASE,
)
_DISTINCT = 8  # different characters that a real key has at least


async def check_secrets(subject: Subject) -> CheckResult:
    """FAILED where a file holds what looks like a real key; the finding shows its first characters only."""
    files = {path: content for path, content in subject.own_files("").items() if len(content) <= MAX_FILE_BYTES}
    if not files:
        return not_applicable(NAME, "no files")
    found = await asyncio.to_thread(_scan, files)
    return result(NAME, found)


def _scan(files: Mapping[str, bytes]) -> list[Finding]:
    return [finding for path in files for finding in islice(_scanned(path, files[path]), MAX_FINDINGS)]


def _scanned(path: str, content: bytes) -> Iterator[Finding]:
    text = content.decode(errors="replace")
    for match in _PATTERN.finditer(text):
        rule = (match.lastgroup or "").replace("_", "-")
        rule = rule if rule in _FORMS else "address-with-password"
        value = match["word"] or match[0]
        if _PLACEHOLDER.search(value) or (rule != "private-key" and len(set(value)) < _DISTINCT):
            continue
        message = (
            f"this looks like a real {rule.replace('-', ' ')} ({value[:_SHOWN_CHARS]}…): read it from the environment"
        )
        yield Finding(
            validator=NAME, path=path, line=text.count("\n", 0, match.start()) + 1, rule=rule, message=message
        )
