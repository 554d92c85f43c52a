"""A plan that cannot be carried out is found out, with a reason that a model can act on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.plan import KNOWN_VALIDATORS, check_plan, find_cycle, known_validators
from orchestrator.domain.tasks import TaskType
from orchestrator.validators.registry import VALIDATORS


def task(id_: str, *dependencies: str, files: tuple[str, ...] = ()) -> PlannedTask:
    return PlannedTask(
        id=id_,
        title=id_,
        type=TaskType.CODE_GENERATION,
        prompt="do it",
        dependencies=list(dependencies),
        files=list(files or (f"{id_}.py",)),
    )


def test_a_good_plan_has_no_errors() -> None:
    assert check_plan([task("b", "a"), task("a"), task("c", "a", "b")]) == []


@pytest.mark.parametrize(
    ("tasks", "error"),
    [
        ([task("a"), task("a", files=("b.py",))], "task id 'a' is used twice"),
        ([task("project")], "task id 'project' is reserved"),
        ([task("a", "b")], "task 'a' depends on 'b', which is no task"),
        ([task("a", "a")], "dependency cycle: a -> a"),
        ([task("a", "c"), task("b", "a"), task("c", "b")], "dependency cycle: a -> c -> b -> a"),
        ([task("a"), task("b", files=("a.py",))], "file 'a.py' belongs to two tasks, 'a' and 'b'"),
        ([task("a"), task("b", files=("A.py",))], "file 'A.py' belongs to two tasks, 'a' and 'b'"),
        ([task("a", files=("x.py", "X.py"))], "files 'x.py' and 'X.py' of task 'a' differ in case only"),
        ([task("a", files=("../x.py",))], "file '../x.py' of task 'a': '..' in the path"),
        ([task("a", files=("/etc/passwd",))], "file '/etc/passwd' of task 'a': absolute path"),
        ([task("a", files=("a b.py",))], "file 'a b.py' of task 'a': blank or special characters in the path"),
        ([task("a", files=("x",)), task("b", files=("x/y.py",))], "'x' is a file of task 'a' and a folder of 'x/y.py'"),
        ([task("a", files=tuple(f"{n}.py" for n in range(51)))], "task 'a' owns more than 50 files"),
    ],
)
def test_errors_name_what_is_wrong(tasks: list[PlannedTask], error: str) -> None:
    assert check_plan(tasks) == [error]


def test_a_task_without_files_delivers_a_document_that_nobody_else_may_own() -> None:
    bare = task("a").model_copy(update={"files": []})
    assert check_plan([bare]) == []
    assert check_plan([bare, task("b", files=("docs/a.md",))]) == ["file 'docs/a.md' belongs to two tasks, 'a' and 'b'"]


def test_a_file_may_be_listed_twice_by_its_task() -> None:
    assert check_plan([task("a", files=("a.py", "./a.py"))]) == []


def test_validators_that_the_planner_may_name_are_those_that_exist() -> None:
    assert set(KNOWN_VALIDATORS) == set(VALIDATORS)
    assert known_validators(["ruff", "latex", "ruff"]) == (("ruff",), ("latex",))


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_cycle_is_found_exactly_if_there_is_one(edges: list[tuple[int, int]]) -> None:
    tasks = [task(f"t{n}", *(f"t{b}" for a, b in edges if a == n)) for n in range(8)]
    cycle = find_cycle(tasks)
    dependencies = {t.id: set(t.dependencies) for t in tasks}
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(after in dependencies[before] for before, after in pairwise(cycle))
    else:
        done: set[str] = set()
        while ready := [t for t, needs in dependencies.items() if t not in done and needs <= done]:
            done.update(ready)
        assert len(done) == len(tasks)


def test_a_long_chain_is_no_problem() -> None:
    chain = [task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, 2000))]
    assert check_plan(chain[::-1]) == []
