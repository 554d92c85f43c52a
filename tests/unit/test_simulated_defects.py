"""Defects of first drafts are real, come at their rate, are found, and are mended."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.domain.answers import PlannedTask, Verdict
from orchestrator.domain.quality import RULES
from orchestrator.domain.tasks import Stage
from orchestrator.providers.simulated.defects import Defect, DefectKind, possible_defects
from orchestrator.providers.simulated.software import Software, software_for
from tests.unit.simulated_talk import (
    RATE_LIMITER,
    REQUESTS,
    criticised,
    drafted,
    judged,
    lay_out,
    quick,
    run_pytest,
    sections_of,
)

STRONG, WEAK, CRITIC = "sim-north:north-pro", "sim-south:south-mini", "sim-south:south-pro"
RULES_FOUND = {
    DefectKind.SYNTAX_ERROR: {"invalid-syntax"},
    DefectKind.UNDEFINED_NAME: {"F821"},
    DefectKind.MISSING_IMPORT: {"F821"},
    DefectKind.UNUSED_IMPORT: {"F401"},
}


def task_of(software: Software, task_id: str) -> PlannedTask:
    return next(task for task in software.tasks if task.id == task_id)


def all_defects(software: Software) -> list[Defect]:
    return [
        defect for path, content in software.files.items() for defect in possible_defects(path, content, software.slips)
    ]


@pytest.mark.parametrize("project", REQUESTS)
def test_ruff_finds_every_defect_that_it_should(project: str, tmp_path: Path) -> None:
    defects = [d for d in all_defects(software_for(project)) if d.kind in RULES_FOUND]
    assert {defect.kind for defect in defects} == set(RULES_FOUND)
    names = {f"d{number}.py": defect for number, defect in enumerate(defects)}
    lay_out(tmp_path, {name: defect.content for name, defect in names.items()})
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--output-format", "json", "."]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).stdout
    found: dict[str, set[str]] = {}
    for finding in json.loads(output):
        found.setdefault(Path(finding["filename"]).name, set()).add(finding["code"] or "invalid-syntax")
    for name, defect in names.items():
        assert found.get(name, set()) & RULES_FOUND[defect.kind], f"{defect.kind} in {defect.path}\n{defect.content}"


@pytest.mark.parametrize("project", REQUESTS)
def test_the_tests_find_every_slip(project: str, tmp_path: Path) -> None:
    software = software_for(project)
    folders = []
    for number, slip in enumerate(software.slips):
        right = software.files[slip.file]
        assert right.count(slip.old) == 1
        wrong = {**software.files, slip.file: right.replace(slip.old, slip.new)}
        folders.append(lay_out(tmp_path / str(number), wrong))
    found = dict(zip(software.slips, run_pytest(*folders), strict=True))
    assert [slip for slip, code in found.items() if code != 1] == []


def test_every_python_task_of_known_software_can_be_given_a_slip() -> None:
    for project in REQUESTS[:3]:
        software = software_for(project)
        slipping = {slip.file for slip in software.slips}
        for task in software.tasks:
            if "python_syntax" in task.validators:
                assert slipping & set(task.files), f"{project}: {task.id}"


def share_with_defects(model: str, rate: float, seeds: int = 300, attempts: str = "") -> float:
    software = software_for(RATE_LIMITER)
    task = task_of(software, "token-bucket")
    sections = sections_of(RATE_LIMITER, task, attempts=attempts)
    drafts = [drafted(model, Stage.GENERATE, sections, quick(seed, rate)) for seed in range(seeds)]
    return sum(draft != {p: software.file(p) for p in task.files} for draft in drafts) / seeds


def test_first_drafts_have_defects_at_about_the_set_rate() -> None:
    for rate in (0.25, 0.5, 0.75):
        assert abs(share_with_defects("sim-east:east-chat", rate) - rate) < 0.1
    assert share_with_defects(WEAK, 0.5) > share_with_defects(STRONG, 0.5)


@pytest.mark.parametrize("model", [STRONG, WEAK])
def test_no_defects_at_zero_and_always_at_one(model: str) -> None:
    assert share_with_defects(model, 0.0, seeds=60) == 0
    assert share_with_defects(model, 1.0, seeds=60) == 1
    assert share_with_defects(model, 1.0, seeds=60, attempts="#1 sim: 0.30") == 0


def test_every_kind_of_defect_turns_up() -> None:
    software = software_for(RATE_LIMITER)
    known = {defect.content: defect.kind for defect in all_defects(software)}
    kinds: Counter[DefectKind] = Counter()
    for task in software.tasks:
        for seed in range(40):
            draft = drafted(WEAK, Stage.GENERATE, sections_of(RATE_LIMITER, task), quick(seed, 1.0))
            wrong = [content for path, content in draft.items() if content != software.file(path)]
            assert len(wrong) == (0 if task.id == "skeleton" else 1)
            kinds.update(known[content] for content in wrong)
    assert set(kinds) == set(DefectKind)


@pytest.mark.parametrize("project", REQUESTS)
def test_critics_name_the_place_and_judges_score_low(project: str) -> None:
    software = software_for(project)
    found = 0
    defects = all_defects(software)
    for number, defect in enumerate(defects):
        task = next(task for task in software.tasks if defect.path in task.files)
        draft = {path: software.file(path) for path in task.files} | {defect.path: defect.content}
        sections = sections_of(project, task, draft)
        critique = criticised(CRITIC, sections, quick(number))
        if critique.verdict is Verdict.REVISE:
            found += 1
            assert critique.issues[0].file == defect.path
            assert critique.issues[0].line > 0
        evaluation = judged(STRONG, sections, quick(number))
        assert evaluation.score < RULES[task.type].threshold / 2
        assert defect.path in evaluation.reasoning
    assert 0.8 < found / len(defects) <= 1.0


def test_clean_files_are_approved_and_reach_every_threshold() -> None:
    software = software_for(RATE_LIMITER)
    style = 0
    for task in software.tasks:
        sections = sections_of(RATE_LIMITER, task, {path: software.file(path) for path in task.files})
        for seed in range(20):
            critique = criticised(WEAK, sections, quick(seed))
            assert critique.verdict is Verdict.APPROVE
            style += len(critique.issues)
            assert judged(WEAK, sections, quick(seed)).score > max(rules.threshold for rules in RULES.values())
    assert 0 < style < 80


def test_a_missing_file_is_a_defect() -> None:
    software = software_for(RATE_LIMITER)
    sections = sections_of(RATE_LIMITER, task_of(software, "contract"), {})
    assert judged(STRONG, sections, quick()).score < 0.4


def test_revisions_mend_almost_always_and_repairs_always() -> None:
    software = software_for(RATE_LIMITER)
    task = task_of(software, "sliding-window")
    clean = {path: software.file(path) for path in task.files}
    slip = next(slip for slip in software.slips if slip.file in clean)
    broken = {slip.file: clean[slip.file].replace(slip.old, slip.new)}
    sections = sections_of(RATE_LIMITER, task, broken)
    mended = [drafted(WEAK, Stage.REVISE, sections, quick(seed)) == clean for seed in range(200)]
    assert 0.8 < sum(mended) / 200 < 1
    again = sections_of(RATE_LIMITER, task, broken, attempts="#1 sim: 0.30")
    assert all(drafted(WEAK, Stage.REVISE, again, quick(seed)) == clean for seed in range(50))
    assert all(drafted(WEAK, Stage.REPAIR, sections, quick(seed)) == clean for seed in range(50))
    whole = {name: text for name, text in sections.items() if name != "task"}
    assert drafted(WEAK, Stage.REPAIR, whole, quick()) == clean
