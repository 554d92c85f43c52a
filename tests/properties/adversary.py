"""The random adversary of a simulated run: which request lands with what, which message arrives, how time goes."""

from dataclasses import dataclass
from random import Random

from orchestrator.domain.errors import Fate
from orchestrator.domain.integration import ProjectCheck
from orchestrator.domain.money import Usage
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.steps import Check, Review
from orchestrator.domain.tasks import Stage
from tests.properties.simulation import PROMPT_BYTES, Answer, Job, Run
from tests.properties.values import numbered_draft, random_failure, random_usage

CHECKS = (
    Check(passed=True),
    Check(passed=True),
    Check(passed=False, summary="pytest: 1 failed"),
    Check(passed=True, unchecked="no sandbox"),
)
SCORES = (0.0, 0.3, 0.5, 0.74, 0.76, 0.85, 0.9, 0.95, 1.0)


@dataclass
class Adversary:
    """`failures`, `messages`: how often, 0 to 1. `kind`: checks pass, scores are high, no revision is asked for."""

    rng: Random
    failures: float
    messages: float
    kind: float
    drafts: int = 0

    def act(self, run: Run) -> None:
        """Let one thing happen. Raises AssertionError if nothing can: the run hangs."""
        if self.rng.random() < self.messages:
            self._message(run)
        elif run.draining and not run.jobs:
            run.continue_as_new()
        elif run.in_flight and (not run.timers or self.rng.random() < 0.8):
            self._land(run, self.rng.choice(run.in_flight))
        elif run.timers and not (run.paused and not run.must_stop and min(run.timers) <= run.now_s):
            run.now_s = max(run.now_s, min(run.timers)) + self.rng.choice((0.0, 0.0, 1.0, 40.0))
        else:
            assert run.paused, f"nothing can happen any more: {run.jobs}"
            run.paused = False

    def _message(self, run: Run) -> None:
        chance = self.rng.random()
        if chance < 0.3:
            run.paused = not run.paused
        elif chance < 0.6:
            held = run.memory.ledger.committed_micro + run.memory.ledger.reserved_micro
            run.set_budget(held + self.rng.choice((0, 0, 1_000, 50_000, 10_000_000)))
        elif chance < 0.7:
            run.concurrency = self.rng.randint(1, 8)
        elif chance < 0.8:
            run.cancel_task(self.rng.choice(run.plan).id)
        elif chance < 0.97:
            run.draining = True
        else:
            run.stop(self.rng.choice((ProjectStatus.CANCELLED, ProjectStatus.TIMEOUT)))

    def _land(self, run: Run, job: Job) -> None:
        run.now_s += self.rng.choice((0.0, 0.1, 5.0))
        if job.step.stage is not None:
            run.answer(job, self._answer(job))
        elif job.task:
            run.check(job, CHECKS[0] if self._is_kind() else self.rng.choice(CHECKS))
        else:
            run.check_project(job, self._project_check(run))

    def _project_check(self, run: Run) -> ProjectCheck:
        if self._is_kind():
            return ProjectCheck(passed=True)
        if self.rng.random() < 0.2:
            return ProjectCheck(passed=True, unchecked="no sandbox")
        named = tuple(self.rng.choice(run.plan).files[0] for _ in range(self.rng.randint(0, 2)))
        return ProjectCheck(passed=False, findings=self.rng.randint(1, 9), summary="pytest", paths=named)

    def _answer(self, job: Job) -> Answer:
        sent = job.sent
        assert sent is not None
        # The prompt's true size is a fact of the slot; some are larger than they were estimated.
        true_bytes = PROMPT_BYTES + (500 if sum(map(ord, job.slot)) % 4 == 0 else 0)
        if true_bytes > job.prompt_bytes:
            return Answer(too_large=true_bytes)
        usage = random_usage(self.rng, true_bytes, sent.max_tokens)
        if self.rng.random() < self.failures:
            failure = random_failure(self.rng)
            billed = usage or Usage() if failure.fate is Fate.BILLED else None
            return Answer(failure=failure, usage=billed)
        if job.step.stage is Stage.CRITIQUE:
            revise = not self._is_kind() and self.rng.random() < 0.6
            return Answer(usage=usage, review=Review(revise=revise, reviewer=sent.model.id))
        if job.step.stage is Stage.EVALUATE:
            return Answer(usage=usage, score=0.95 if self._is_kind() else self.rng.choice(SCORES))
        self.drafts += 1
        return Answer(usage=usage, draft=numbered_draft(self.drafts, f"{job.task}.py"))

    def _is_kind(self) -> bool:
        return self.rng.random() < self.kind
