"""Project files: what they may say, and where an error is reported."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.catalog import Catalog
from orchestrator.client.model_names import model_resolver
from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.contracts.project import OnExhausted
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.settings.yaml_source import MAX_BYTES

MODELS = tuple(
    ModelSpec(id=f"v:{name}", vendor="v", model=name, context_tokens=1000, max_output_tokens=100, aliases=aliases)
    for name, aliases in (("small", ("tiny",)), ("large", ()))
)
RESOLVE = model_resolver(lambda: Catalog(day=date(2026, 1, 1), entries=(), models=MODELS))


def load(tmp_path: Path, content: str | bytes) -> ProjectFile:
    path = tmp_path / "project.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_project_file(path, RESOLVE)


def test_every_name_of_the_flags_is_read(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "project: |\n  A limiter\n  with decorators\ncriteria: tests pass\nbudget: 2.5\ntime_limit: 1h30m\n"
        "concurrency: 4\noutput_dir: out\nnew_project: true\nno-enhance: false\napprove: plan\non-exhausted: pause\n",
    )
    assert found == ProjectFile(
        project="A limiter\nwith decorators",
        criteria="tests pass",
        budget=2_500_000,
        time_limit=5400.0,
        concurrency=4,
        output_dir="out",
        new_project=True,
        approve=True,
        on_exhausted=OnExhausted.PAUSE,
    )


def test_models_are_named_by_task_type_and_stage(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "models:\n"
        "  tasks: {t01: v:small, t02: [v:large, small], 't03/critique': tiny}\n"
        "  types: {code_generation: V:Large}\n"
        "  stages:\n    evaluate: [small, v:small]\n",
    )
    assert found.models == (
        ModelOverride(models=("v:small",), task="t01"),
        ModelOverride(models=("v:large", "v:small"), task="t02"),
        ModelOverride(models=("v:small",), task="t03", stage=Stage.CRITIQUE),
        ModelOverride(models=("v:large",), type=TaskType.CODE_GENERATION),
        ModelOverride(models=("v:small",), stage=Stage.EVALUATE),
    )


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        pytest.param("project: x\nbugdet: 2\n", "2:1", "bugdet: unknown name; did you mean 'budget'?", id="misspelt"),
        pytest.param("verbose: true\n", "1:1", "verbose: is not taken here: progress is", id="name of another tool"),
        pytest.param("zzz: 1\n", "1:1", "known names: project, criteria", id="nothing near"),
        pytest.param("project: x\nbudget: -1\n", "2:9", "budget: must be a number of USD", id="negative"),
        pytest.param("budget: .inf\n", "1:9", "budget: must be a number of USD", id="infinite"),
        pytest.param("budget: two\n", "1:9", "got 'two'", id="not a number"),
        pytest.param("time_limit: soon\n", "1:13", "time_limit: must be a duration such as 90m", id="duration"),
        pytest.param("concurrency: 65\n", "1:14", "concurrency: must be a whole number from 1 to 64", id="range"),
        pytest.param("project:\ncriteria: x\n", "1:9", "project: has no value", id="null"),
        pytest.param("project: '  '\n", "1:10", "project: is empty", id="blank"),
        pytest.param("criteria:\n  - a\n  - b\n", "2:3", "criteria: must be one value, not a list", id="list"),
        pytest.param("criteria: {a: b}\n", "1:11", "criteria: must be one value, not a mapping", id="mapping"),
        pytest.param("new_project: maybe\n", "1:14", "must be true or false", id="switch"),
        pytest.param("project: a\nproject: b\n", "2:1", "project: is given twice", id="twice"),
        pytest.param("time-limit: 5\ntime_limit: 6\n", "1:1", "time_limit is given twice", id="both spellings"),
        pytest.param("approve: yes\n", "1:10", "approve: must be 'plan'", id="approve"),
        pytest.param("on_exhausted: stop\n", "1:15", "on_exhausted: must be 'end' or 'pause'", id="exhausted"),
        pytest.param("models: v:small\n", "1:9", "models: must be a list of 'name: value' lines", id="models"),
        pytest.param("models: {task: {}}\n", "1:10", "models.task: unknown name; did you mean 'tasks'?", id="section"),
        pytest.param(
            "models: {tasks: {t1: v:smal}}\n", "1:22", "unknown model 'v:smal'; did you mean 'v:small'?", id="model"
        ),
        pytest.param(
            "models: {tasks: {t1: [v:large, 7]}}\n", "1:32", "models.tasks.t1[1]: unknown model '7'", id="in a list"
        ),
        pytest.param("models: {tasks: {t1: []}}\n", "1:22", "models.tasks.t1: names no model", id="no model"),
        pytest.param("models: {tasks: {t 1: v:small}}\n", "1:18", "'t 1' is no task id", id="task id"),
        pytest.param(
            "models: {tasks: {t1/critic: v:small}}\n", "1:18", "did you mean 'critique'?", id="stage of a task"
        ),
        pytest.param("models: {types: {code: v:small}}\n", "1:18", "did you mean 'code_review'?", id="type"),
        pytest.param("models: {stages: {generat: v:small}}\n", "1:19", "did you mean 'generate'?", id="stage"),
        pytest.param("? [a]\n: b\n", "1:3", "a name is expected here", id="key is a list"),
        pytest.param("- project: x\n", "1:1", "must be a list of 'name: value' lines", id="top is a list"),
        pytest.param("project: a: b\n", "1:11", "is not YAML", id="syntax"),
        pytest.param("project: x\n\tcriteria: y\n", "2:1", "is not YAML", id="tab"),
        pytest.param("project: x\n---\nproject: y\n", "2:1", "is not YAML", id="two documents"),
        pytest.param("project: *nothing\n", "1:10", "is not YAML", id="unknown anchor"),
        pytest.param("project: x\ncriteria: a\x00b\n", "2:12", "control characters", id="NUL"),
        pytest.param(b"project: x\ncriteria: \xff\n", "2:11", "is not UTF-8", id="encoding"),
    ],
)
def test_errors_say_where_what_and_the_fix(tmp_path: Path, content: str | bytes, where: str, says: str) -> None:
    with pytest.raises(UserInputError) as caught:
        load(tmp_path, content)
    first = str(caught.value).splitlines()[0]
    assert f"project.yaml:{where}: " in first
    assert says in first


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserInputError, match="the file is empty"):
        load(tmp_path, content)


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="nested too deeply"):
        load(tmp_path, "project: " + "[" * 5000)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="is this the right file"):
        load(tmp_path, b"#" * (MAX_BYTES + 1))


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"none\.yaml: cannot be read: No such file"):
        load_project_file(tmp_path / "none.yaml", RESOLVE)
    with pytest.raises(UserInputError, match="cannot be read: Is a directory"):
        load_project_file(tmp_path, RESOLVE)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbfproject: x\n").project == "x"
