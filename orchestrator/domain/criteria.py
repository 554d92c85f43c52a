"""Success criteria one by one: which check decides each, and what came of it."""

import re
from collections.abc import Mapping, Sequence

from orchestrator.domain.answers import CriterionAnswer
from orchestrator.domain.base import Frozen
from orchestrator.domain.findings import CheckStatus, Finding
from orchestrator.domain.text import one_line

JUDGED = "judged"  # no tool can tell: a model does
MAX_CRITERIA = 40
_MAX_CHARS = 300
_MAX_PHRASE_WORDS = 8
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d+[.)]|\[[ xX]?\])\s+")
# A part that begins so belongs to the one before it.
_GOES_ON = re.compile(
    r"^(?:and|or|but|with|without|which|that|where|when|while|if|so|then|such|e\.g\.|i\.e\.|including)\b", re.I
)
# The first pattern that occurs decides; the checks of which one must have passed, in order of preference.
_CHECKS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.I), checks)
    for pattern, checks in (
        (r"\bruff\b|\blint(?:s|er|ing|-free)?\b", ("ruff",)),
        (r"\bmypy\b|\btype[- ]?(?:check|safe|hint|annotation)|\bfully typed\b", ("mypy", "tsc")),
        (r"\bpytest\b|\btests?(?: suite)? (?:pass|succeed|are green|run green)", ("pytest", "npm_test")),
        (r"\bbuilds? (?:pass|succeed|works?|cleanly|without)|\b(?:npm run|next) build\b", ("npm_build",)),
        (r"\bvalid (?:openapi|swagger)", ("openapi",)),
        (r"\bvalid html\b", ("html",)),
        (r"\bno (?:secrets?|keys?|credentials?|passwords?) (?:in|are)\b", ("secrets",)),
        (r"^(?:(?:the|it|app|server|service|api|program|site) )*(?:starts?|launch(?:es)?|boots?)\b", ("app_start",)),
    )
)  # fmt: skip


# Words that ask for nothing beside what the check looks at.
_WORDS = """
a all an and any app application are be by check checked checker checks clean cleanly code complete error errors every
everything file files free from full fully green has have in is it its must no of on own pass passed passes passing
program project python report reports run runs service should site software succeed succeeds suite test tests the type
types under unit up valid warning warnings with without
"""
_FILLER = frozenset(_WORDS.split())


class CriterionResult(Frozen):
    """One criterion. `check` is a validator's name or "judged"; `met` is None where nobody could tell."""

    text: str
    check: str
    met: bool | None = None
    evidence: str = ""
    file: str = ""  # that would have to change, where a judge names it


def split_criteria(text: str) -> tuple[str, ...]:
    """The single criteria of a text, at most 40: its lines or list items, parts at semicolons, and short phrases."""
    found: list[str] = []
    for line in text.splitlines():
        for part in _BULLET.sub("", line).split(";"):
            found += _phrases(part.strip())
    return tuple(dict.fromkeys(one[:_MAX_CHARS] for one in found if one))[:MAX_CRITERIA]


def _phrases(part: str) -> list[str]:
    """The parts at commas, where each of them can stand alone; else the whole."""
    phrases = [phrase.strip().rstrip(".") for phrase in part.split(",")]
    alone = all(
        2 <= len(phrase.split()) <= _MAX_PHRASE_WORDS and not _GOES_ON.match(phrase) and _balanced(phrase)
        for phrase in phrases
    )
    return phrases if alone else [part.rstrip(".")]


def _balanced(phrase: str) -> bool:
    return all(phrase.count(left) == phrase.count(right) for left, right in ("()", "[]", "{}")) and (
        phrase.count('"') % 2 == 0 and phrase.count("`") % 2 == 0
    )


def checked_by(criterion: str) -> tuple[str, ...]:
    """Validators that decide the criterion; empty where only a judge can."""
    return next((checks for pattern, checks in _CHECKS if pattern.search(criterion)), ())


def by_tools(criteria: Sequence[str], verdicts: Mapping[str, tuple[CheckStatus, str]]) -> tuple[CriterionResult, ...]:
    """What the validators' verdicts (status and one line, by name) say; the others are still to be judged.

    A check that fails decides. One that passes decides only if nothing else is asked for, and one that had nothing to
    look at decides nothing.
    """
    return tuple(_decided(text, verdicts) for text in criteria)


def _says_only(text: str) -> bool:
    """Whether the criterion says nothing beside what the check looks at."""
    for pattern, _ in _CHECKS:
        text = pattern.sub(" ", text)
    return all(word in _FILLER for word in re.findall(r"[^\W_]+", text.lower()))


def _decided(text: str, verdicts: Mapping[str, tuple[CheckStatus, str]]) -> CriterionResult:
    for check in checked_by(text):
        status, line = verdicts.get(check, (CheckStatus.NOT_APPLICABLE, ""))
        met = status is CheckStatus.PASSED
        if status is CheckStatus.FAILED or (met and _says_only(text)):
            return CriterionResult(text=text, check=check, met=met, evidence=line or f"{check} {status.value}")
    return CriterionResult(text=text, check=JUDGED)


def with_judgements(
    results: Sequence[CriterionResult], judgements: Sequence[CriterionAnswer], judge: str
) -> tuple[CriterionResult, ...]:
    """`results` with what a judge said of those that were still open; `judge` is its model's id."""
    said = {judgement.number: judgement for judgement in judgements}
    return tuple(
        _judged(result, said[number], judge)
        if result.check == JUDGED and result.met is None and number in said
        else result
        for number, result in enumerate(results, start=1)
    )


def _judged(result: CriterionResult, said: CriterionAnswer, judge: str) -> CriterionResult:
    evidence = one_line(f"{judge}: {said.evidence}", _MAX_CHARS)
    return result.model_copy(
        update={"met": said.met, "evidence": evidence, "file": "" if said.met else said.file[:200]}
    )


def open_numbers(results: Sequence[CriterionResult]) -> tuple[int, ...]:
    """Numbers, counted from 1, of the criteria that nobody has decided."""
    return tuple(number for number, result in enumerate(results, start=1) if result.met is None)


def unmet(results: Sequence[CriterionResult]) -> tuple[CriterionResult, ...]:
    """Criteria that do not hold."""
    return tuple(result for result in results if result.met is False)


def criteria_findings(results: Sequence[CriterionResult]) -> tuple[Finding, ...]:
    """What a repair needs to know of criteria that do not hold."""
    return tuple(
        Finding(validator="criteria", path=result.file, rule="unmet", message=f"{result.text}: {result.evidence}")
        for result in unmet(results)
    )
