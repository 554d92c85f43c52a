"""Simulated models in the step machine of a task: every task of a default run is completed."""

import hashlib
import json
from collections import Counter

import pytest

from orchestrator.catalog.simulated import SIMULATED_ROUTING, simulated_models
from orchestrator.domain import steps
from orchestrator.domain.answers import PlannedTask, Verdict
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.quality import RULES
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.routing import away_from, ranked
from orchestrator.domain.steps import Check, Review, Step, TaskState, TaskStatus
from orchestrator.domain.tasks import Stage
from orchestrator.providers.simulated.defects import DefectKind, possible_defects
from orchestrator.providers.simulated.software import software_for
from orchestrator.settings import SimulationSettings
from tests.unit.simulated_talk import REQUESTS, criticised, drafted, judged, quick, sections_of

MODELS = simulated_models(SimulationSettings())
UNSEEN_BY_LINTERS = {DefectKind.SLIP, DefectKind.UNFINISHED}


class TaskRun:
    """One task from start to end; validators are played by knowing which defects they find."""

    def __init__(self, project: str, task: PlannedTask, settings: SimulationSettings) -> None:
        self.project, self.task, self.settings = project, task, settings
        self.rules = RULES[task.type]
        self.software = software_for(project)
        self.drafts: dict[str, dict[str, str]] = {}
        self.state = steps.start(TaskState())
        self.stages: Counter[str] = Counter()

    def run(self) -> TaskState:
        while todo := steps.next_steps(self.state):
            self.stages[str(todo[0].stage)] += 1
            self._perform(todo[0])
        return self.state

    def _perform(self, step: Step) -> None:
        current = self.state.current
        files = self.drafts[current.draft.manifest.sha256] if current else None
        attempts = "\n".join(self.state.attempts)
        asked = sections_of(self.project, self.task, files, attempts)
        match step.stage:
            case None:
                passed = files is not None and not self._is_rejected(files)
                self.state = steps.checked(self.state, Check(passed=passed), self.rules)
            case Stage.CRITIQUE:
                model = self._other()
                critique = criticised(model.id, asked, self.settings)
                revise = critique.verdict is Verdict.REVISE
                self.state = steps.reviewed(self.state, Review(revise=revise, reviewer=model.id), self.rules)
            case Stage.EVALUATE:
                score = judged(self._other().id, asked, self.settings).score
                self.state = steps.judged(self.state, step.role, score, self.rules)
            case stage:
                author = self._ranking(stage)[0].id
                self.state = steps.drafted(self.state, self._kept(drafted(author, stage, asked, self.settings)), author)

    def _ranking(self, stage: Stage) -> tuple[ModelSpec, ...]:
        return ranked(stage, self.task.type, MODELS, SIMULATED_ROUTING)

    def _other(self) -> ModelSpec:
        author = next(m for m in MODELS if self.state.current and m.id == self.state.current.author)
        other = away_from(self._ranking(Stage.CRITIQUE), (author,))[0]
        assert other.vendor != author.vendor
        return other

    def _kept(self, files: dict[str, str]) -> DraftRef:
        digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
        self.drafts[digest] = files
        return DraftRef(manifest=BlobRef(sha256=digest, size=1), files_bytes=1, paths=tuple(files))

    def _is_rejected(self, files: dict[str, str]) -> bool:
        tested = "pytest" in self.task.validators
        known = {
            defect.content
            for path in files
            for defect in possible_defects(path, self.software.files[path], self.software.slips)
            if tested or defect.kind not in UNSEEN_BY_LINTERS
        }
        return any(content in known for content in files.values())


@pytest.mark.parametrize("defect_rate", [0.5, 1.0])
@pytest.mark.parametrize("project", REQUESTS)
def test_every_task_is_completed_with_clean_files(project: str, defect_rate: float) -> None:
    stages: Counter[str] = Counter()
    for seed in range(8):
        for task in software_for(project).tasks:
            run = TaskRun(project, task, quick(seed, defect_rate))
            end = run.run()
            assert end.status is TaskStatus.COMPLETED, f"seed {seed}, {task.id}: {end.reason}"
            assert end.best is not None
            clean = {path: run.software.files[path] for path in task.files}
            assert run.drafts[end.best.draft.manifest.sha256] == clean
            stages.update(run.stages)
    assert stages["revise"] > 0
