"""Projects that look like a new one: the same text and criteria, or many of the same words."""

import hashlib
import re
from collections.abc import Iterable

from orchestrator.client.reading import ProjectRow
from orchestrator.client.resuming import RESUMABLE
from orchestrator.client.words import ASKING, CONNECTING
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.base import Frozen

MIN_OVERLAP = 0.5
MAX_KEYWORDS_CHARS = 1200  # Temporal warns of memos above 2 KiB
_MAX_SHOWN = 5
_FINISHED = (ProjectStatus.SUCCESS, ProjectStatus.COMPLETED_DEGRADED)
_MIN_WORD_CHARS = 3
_FILLER = CONNECTING | ASKING


class Similar(Frozen):
    """An earlier project. `overlap`: share of common words, 0 to 1; `same`: identical text and criteria."""

    project_id: str
    status: str
    running: bool
    same: bool
    overlap: float
    started_s: float
    project: str


def fingerprint(project: str, criteria: str) -> str:
    """Identifies text and criteria, whatever their white space."""
    texts = "\0".join(" ".join(text.split()) for text in (project, criteria))
    return hashlib.sha256(texts.encode()).hexdigest()[:32]


def keywords(project: str, criteria: str) -> str:
    """The words that matter of both, sorted, blank-separated, as many as a memo takes."""
    words = {word for word in re.findall(r"\w+", f"{project} {criteria}".lower()) if len(word) >= _MIN_WORD_CHARS}
    text = ""
    for word in sorted(words - _FILLER):
        longer = f"{text} {word}".strip()
        if len(longer.encode()) > MAX_KEYWORDS_CHARS:
            break
        text = longer
    return text


def similar_to(project: str, criteria: str, rows: Iterable[ProjectRow]) -> list[Similar]:
    """Running and resumable projects like this one: identical ones first, then by overlap; age only breaks ties."""
    own_print, own_words = fingerprint(project, criteria), set(keywords(project, criteria).split())
    known = list(rows)
    finished = [row.started_s for row in known if row.fingerprint == own_print and row.status in _FINISHED]
    found = []
    for row in known:
        running = row.closed_s is None
        superseded = row.fingerprint == own_print and row.started_s < max(finished, default=0.0)
        if not running and (row.status not in RESUMABLE or superseded):
            continue
        words = set(row.keywords.split())
        union = own_words | words
        overlap = len(own_words & words) / len(union) if union else 0.0
        same = row.fingerprint == own_print
        if same or overlap >= MIN_OVERLAP:
            found.append(
                Similar(
                    project_id=row.project_id,
                    status=row.status,
                    running=running,
                    same=same,
                    overlap=round(overlap, 3),
                    started_s=row.started_s,
                    project=row.project,
                )
            )
    found.sort(key=lambda one: (not one.same, -one.overlap, -one.started_s))
    return found[:_MAX_SHOWN]
