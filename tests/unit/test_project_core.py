"""Schedule, integration and the final status."""

import pytest

from orchestrator.domain.integration import (
    MAX_ROUNDS,
    Integration,
    ProjectCheck,
    after_check,
    repaired_one,
    responsible,
    validators,
)
from orchestrator.domain.outcome import ProjectStatus, ending
from orchestrator.domain.schedule import ready, remaining_path, skip_hopeless, upstream
from orchestrator.domain.steps import TaskState, TaskStatus, Version
from tests.unit.core_values import draft, task

PLAN = (task("a"), task("b", "a"), task("c"), task("d", "b", "c"))


def done(path: str, status: TaskStatus = TaskStatus.COMPLETED) -> TaskState:
    return TaskState(status=status, best=Version(draft=draft(path), author="a:m", score=0.9))


def all_done() -> dict[str, TaskState]:
    return {each.id: done(each.files[0]) for each in PLAN}


def test_tasks_start_when_their_dependencies_are_done_longest_path_first() -> None:
    length = remaining_path(PLAN)
    assert length == {"a": 3, "b": 2, "c": 2, "d": 1}
    states = {each.id: TaskState() for each in PLAN}
    assert [each.id for each in ready(PLAN, states, length)] == ["a", "c"]
    states["a"] = done("a.py", TaskStatus.DEGRADED)
    assert [each.id for each in ready(PLAN, states, length)] == ["b", "c"]


def test_what_a_failure_makes_impossible_is_skipped_transitively() -> None:
    states = {each.id: TaskState() for each in PLAN}
    states["a"] = TaskState(status=TaskStatus.FAILED)
    assert set(skip_hopeless(PLAN, states)) == {"b", "d"}


def test_upstream_goes_so_many_edges_up() -> None:
    assert upstream(PLAN, ["d"], 0) == ["d"]
    assert upstream(PLAN, ["d"], 1) == ["b", "c", "d"]
    assert upstream(PLAN, ["d"], 9) == ["a", "b", "c", "d"]


def test_the_whole_project_answers_to_its_tests_even_if_the_plan_forgot() -> None:
    assert {"python_syntax", "ruff", "import_smoke", "app_start"} <= set(validators(PLAN, ["pkg/core.py"]))
    assert "pytest" in validators(PLAN, ["tests/test_core.py"])


@pytest.mark.parametrize(
    ("path", "called_for"),
    [
        ("pkg/core.py", {"dependencies", "python_syntax", "ruff", "import_smoke", "app_start", "secrets"}),
        ("requirements-dev.txt", {"dependencies"}),
        ("web/package.json", {"dependencies", "npm_build", "npm_test", "app_start", "json_schema", "secrets"}),
        ("web/tsconfig.json", {"tsc", "json_schema", "secrets"}),
        ("index.html", {"html", "app_start", "secrets"}),
        ("static/app.js", {"node_check", "secrets"}),
        ("compose.yml", {"yaml", "secrets"}),
        ("docs/openapi.yaml", {"yaml", "openapi", "secrets"}),
        ("schema.sql", {"sql", "secrets"}),
        ("run.sh", {"shell", "secrets"}),
        ("README.md", set()),
    ],
)
def test_each_kind_of_file_calls_for_its_checks(path: str, called_for: set[str]) -> None:
    assert set(validators([], [path])) == called_for


def test_large_linters_look_at_what_tasks_wrote_only() -> None:
    alone = [task("a", files=("a.py", "test_a.py"))]
    assert "mypy" not in validators(alone, ["a.py", "base.py", "Dockerfile"])
    assert "dockerfile" not in validators(alone, ["a.py", "Dockerfile"])
    both = [*alone, task("b", files=("b.py", "Dockerfile"))]
    assert {"mypy", "dockerfile"} <= set(validators(both, ["a.py", "b.py", "Dockerfile"]))


def test_repairs_widen_round_by_round_and_end() -> None:
    failing = ProjectCheck(passed=False, findings=2, summary="pytest", paths=("d.py",))
    states, integration = all_done(), Integration()
    seen = []
    while not integration.done:
        integration, restored = after_check(integration, failing, PLAN, states)
        assert not restored
        seen.append(integration.pending)
        for task_id in integration.pending:
            integration = repaired_one(integration, task_id)
    assert seen[:2] == [("d",), ("b", "c", "d")] and integration.round == MAX_ROUNDS


def test_a_round_that_made_things_worse_is_taken_back() -> None:
    states = all_done()
    first, _ = after_check(Integration(), ProjectCheck(passed=False, findings=1, paths=("a.py",)), PLAN, states)
    states["a"] = done("new.py")
    second, restored = after_check(
        repaired_one(first, "a"), ProjectCheck(passed=False, findings=5, paths=("a.py",)), PLAN, states
    )
    assert restored == {"a": draft("a.py")}
    assert second.best and second.best.findings == 1


def test_responsible_are_only_tasks_with_files() -> None:
    states = {**all_done(), "b": TaskState(status=TaskStatus.SKIPPED)}
    assert responsible(PLAN, states, ["d.py"], 1) == ["c", "d"]


def status(
    states: list[TaskState],
    check: ProjectCheck | None = None,
    stopped: ProjectStatus | None = None,
    exhausted: bool = False,
) -> ProjectStatus:
    integration = Integration(done=check is not None, best=check)
    return ending(states, integration, stopped, "why", exhausted, "no plan").status


def test_a_status_never_lies() -> None:
    good, passed = done("a.py"), ProjectCheck(passed=True)
    weak, lost = done("b.py", TaskStatus.DEGRADED), TaskState(status=TaskStatus.FAILED, reason="down")
    assert status([good], passed) is ProjectStatus.SUCCESS
    assert status([good, weak], passed) is ProjectStatus.COMPLETED_DEGRADED
    assert status([good], ProjectCheck(passed=False)) is ProjectStatus.COMPLETED_DEGRADED
    assert status([good], ProjectCheck(passed=True, unchecked="no sandbox")) is ProjectStatus.COMPLETED_DEGRADED
    assert status([good], None) is ProjectStatus.COMPLETED_DEGRADED
    assert status([good, lost], passed) is ProjectStatus.PARTIAL_SUCCESS
    assert status([lost], passed) is ProjectStatus.SYSTEM_FAILURE
    assert status([], passed) is ProjectStatus.SYSTEM_FAILURE
    assert status([good], passed, exhausted=True) is ProjectStatus.BUDGET_EXHAUSTED
    assert status([good], passed, ProjectStatus.TIMEOUT) is ProjectStatus.TIMEOUT
    assert status([good], passed, ProjectStatus.CANCELLED, exhausted=True) is ProjectStatus.CANCELLED
