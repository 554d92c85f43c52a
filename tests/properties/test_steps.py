"""The step machine: side-by-side answers in any order, any failure, stopped at any moment."""

from itertools import permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import steps
from orchestrator.domain.quality import DISAGREEMENT, JUDGES, RULES, TypeRules, combine
from orchestrator.domain.steps import FINAL, USABLE, Check, Review, Step, TaskState, TaskStatus
from orchestrator.domain.tasks import Stage, TaskType
from tests.properties.invariants import merit
from tests.properties.profile import examples
from tests.properties.values import numbered_draft, survives

SEEDS = st.integers(0, 2**32)
TYPES = st.sampled_from(TaskType)
CHECKS = (Check(passed=True), Check(passed=False, summary="ruff: 3"), Check(passed=True, unchecked="no sandbox"))


class Story:
    """One task, driven to its end; `done` names every step that was performed."""

    def __init__(self, seed: int, task_type: TaskType) -> None:
        self.rng = Random(seed)
        self.rules: TypeRules = RULES[task_type]
        self.failures = self.rng.choice((0.0, 0.1, 0.6))
        self.state = steps.start(TaskState())
        self.done: list[tuple[str, int, str]] = []
        self.drafts = 0
        self.accepted = False  # some version has passed its checks

    def outcome(self, step: Step) -> "Outcome":
        """What comes of a step, drawn once, so that it can be told in any order."""
        lost = step.stage is not None and self.rng.random() < self.failures
        return Outcome(step, lost, self.rng.choice(CHECKS), self.rng.random() < 0.5, self.score(), self.drafts)

    def score(self) -> float | None:
        return self.rng.choice((None, 0.2, 0.5, 0.51, round(self.rng.random(), 2), 1.0))

    def perform(self, step: Step) -> None:
        before = self.state
        draft_of = before.current.draft.manifest.size if before.current and step.stage is None else 0
        self.done.append((step.stage.value if step.stage else f"check {draft_of}", before.iteration, step.role))
        self.drafts += 1
        self.state = survives(self.outcome(step).tell(before, self.rules))
        current = self.state.current
        self.accepted |= current is not None and current.check is not None and current.check.passed
        assert merit(self.state.best) >= merit(before.best), "lost its best version"
        assert self.state.escalations < self.rules.max_iterations

    def truth_holds(self) -> None:
        """A final status is what the best version's check and score say."""
        state, best = self.state, self.state.best
        if self.accepted:
            assert best and best.check and best.check.passed, "a revision that breaks the checks is thrown away"
        if state.status is TaskStatus.COMPLETED:
            assert best and best.check and best.check.passed and not best.check.unchecked
            assert best.score is not None and best.score >= self.rules.threshold
        elif state.status is TaskStatus.DEGRADED:
            assert best and (best.check is None or best.check.passed) and state.reason
        elif state.status is TaskStatus.FAILED:
            assert best is None or (best.check is not None and not best.check.passed and not best.score)
            assert state.reason


class Outcome:
    """What a step came to, whenever it is told."""

    def __init__(self, step: Step, lost: bool, check: Check, revise: bool, score: float | None, number: int) -> None:
        self.step, self.lost, self.check = step, lost, check
        self.revise, self.score, self.number = revise, score, number

    def tell(self, state: TaskState, rules: TypeRules) -> TaskState:
        if self.lost:
            return steps.unanswered(state, self.step, "all models are down", rules)
        match self.step.stage:
            case None:
                return steps.checked(state, self.check, rules)
            case Stage.CRITIQUE:
                return steps.reviewed(state, Review(revise=self.revise, reviewer="b:m"), rules)
            case Stage.EVALUATE:
                return steps.judged(state, self.step.role, self.score, rules)
            case _:
                return steps.drafted(state, numbered_draft(self.number + 1, "a.py"), "a:m")


@examples(400)
@given(SEEDS, TYPES)
def test_every_task_ends_and_takes_no_step_twice(seed: int, task_type: TaskType) -> None:
    story = Story(seed, task_type)
    while wanted := steps.next_steps(story.state):
        assert len(set(wanted)) == len(wanted)
        story.perform(story.rng.choice(wanted))
        assert len(story.done) <= 7 * story.rules.max_iterations, "goes on for ever"
    assert story.state.status in FINAL
    assert len(set(story.done)) == len(story.done), "a step was taken twice"
    assert story.state.iteration <= story.rules.max_iterations
    story.truth_holds()


@examples(300)
@given(SEEDS, TYPES)
def test_steps_side_by_side_may_answer_in_any_order(seed: int, task_type: TaskType) -> None:
    story = Story(seed, task_type)
    while wanted := steps.next_steps(story.state):
        outcomes = [story.outcome(step) for step in wanted]
        ends = []
        for order in permutations(outcomes):
            state, left = story.state, list(wanted)
            for outcome in order:
                state = survives(outcome.tell(state, story.rules))
                left.remove(outcome.step)
                assert not left or steps.next_steps(state) == tuple(left), "what is left to do is what was not answered"
            ends.append(state.model_copy(update={"judged": dict(sorted(state.judged.items()))}))
        assert all(end == ends[0] for end in ends)
        story.drafts += 1
        story.state = ends[0]


@examples(300)
@given(SEEDS, TYPES, st.integers(0, 28))
def test_stopped_at_any_moment_it_keeps_the_best_and_says_the_truth(seed: int, task_type: TaskType, moves: int) -> None:
    story = Story(seed, task_type)
    while len(story.done) < moves and (wanted := steps.next_steps(story.state)):
        story.perform(story.rng.choice(wanted))
    before = story.state
    if before.status not in FINAL:
        story.state = survives(steps.finish(before, "cancelled on request", story.rules))
    assert steps.next_steps(story.state) == () and story.state.status in FINAL
    assert merit(story.state.best) >= max(merit(before.best), merit(before.current), merit(before.unrevised))
    story.truth_holds()
    assert steps.next_steps(steps.skip(before, "x" * 500)) == ()


@examples(200)
@given(SEEDS, TYPES, st.sampled_from(CHECKS[::2]))
def test_what_integration_saved_is_judged_once_more(seed: int, task_type: TaskType, check: Check) -> None:
    story = Story(seed, task_type)
    while wanted := steps.next_steps(story.state):
        story.perform(story.rng.choice(wanted))
    if story.state.status is not TaskStatus.FAILED or story.state.best is None:
        return
    story.state = survives(steps.rejudge(story.state, check, story.rules))
    asked = 0
    while wanted := steps.next_steps(story.state):
        assert {step.stage for step in wanted} == {Stage.EVALUATE}
        story.perform(wanted[0])
        asked += 1
    assert asked == len(JUDGES) and story.state.status in USABLE
    assert len(set(story.done)) == len(story.done), "judged twice under one key"
    story.truth_holds()


@examples(100)
@given(SEEDS, TYPES)
def test_a_repair_changes_files_and_nothing_else(seed: int, task_type: TaskType) -> None:
    story = Story(seed, task_type)
    while wanted := steps.next_steps(story.state):
        story.perform(story.rng.choice(wanted))
    if story.state.best is None:
        return
    mended = steps.repaired(story.state, numbered_draft(999, "a.py"), "c:m")
    assert mended.status is story.state.status and merit(mended.best) == merit(story.state.best)
    assert mended.best and mended.best.draft == numbered_draft(999, "a.py")


@examples(200)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=2))
def test_one_score_of_two_judges_lies_between_them(scores: list[float | None]) -> None:
    known = [score for score in scores if score is not None]
    one = combine(tuple(scores))
    assert (one is None) is (not known)
    if one is not None:
        assert min(known) - 1e-12 <= one <= max(known) + 1e-12
        assert one == min(known) or max(known) - min(known) <= DISAGREEMENT
