"""A plan goes to a person as YAML and comes back the same, or with an error that says where."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.client.plan_file import MAX_FILE_BYTES, load_plan
from orchestrator.client.plan_text import plan_yaml
from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.tasks import TaskType

TASKS = (
    PlannedTask(
        id="t01",
        title='The "core": #1',
        type=TaskType.CODE_GENERATION,
        prompt="Write it.\n\n  - indented: yes\n\tand a tab\nЮникод — тоже\n",
        files=["core.py", "tests/test_core.py"],
        validators=["ruff", "pytest"],
    ),
    PlannedTask(id="t02", title="Review", type=TaskType.CODE_REVIEW, prompt="Look at it.", dependencies=["t01"]),
)
TASK = "tasks:\n  - {id: t01, title: T, type: code_generation, prompt: P, files: [a.py]}\n"


def load(tmp_path: Path, content: str | bytes) -> tuple[PlannedTask, ...]:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_plan(path)


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    text = plan_yaml(TASKS)
    assert load(tmp_path, text) == TASKS
    assert "    prompt: |\n      Write it.\n\n        - indented: yes\n" in text
    assert "      Юникод — тоже\n" in text
    assert "    prompt: |-\n      Look at it.\n" in text


@pytest.mark.parametrize(
    "prompt", [" a", "\n a", "\ta", "a\n ", "a \n b", "  a\nb", "a\n\n\n", "# a: b", "\n", " ", "a\r\nb", "---\na", "|"]
)
def test_white_space_and_marks_come_back(tmp_path: Path, prompt: str) -> None:
    tasks = (TASKS[1].model_copy(update={"prompt": prompt, "dependencies": []}),)
    assert load(tmp_path, plan_yaml(tasks)) == tasks


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    title=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    prompt=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t#:-'\"|>\\"), min_size=1),
)
def test_any_text_comes_back_and_none_acts_on_a_terminal(tmp_path: Path, title: str, prompt: str) -> None:
    tasks = (PlannedTask(id="t01", title=title, type=TaskType.SUMMARIZATION, prompt=prompt),)
    text = plan_yaml(tasks)
    assert load(tmp_path, text) == tasks
    assert not [ch for ch in text if ch not in "\n\t" and unicodedata.category(ch) in ("Cc", "Cf", "Cn", "Co")]


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        pytest.param("task: []\n", "1:1", "task: unknown name; did you mean 'tasks'?", id="top"),
        pytest.param("- a\n", "1:1", "must be a list of 'name: value' lines", id="list at the top"),
        pytest.param("{}\n", "1:1", "tasks: is missing", id="no tasks"),
        pytest.param("tasks: x\n", "1:8", "tasks: must be a list", id="no list"),
        pytest.param("tasks: []\n", "1:8", "tasks: must hold 1 to 2000 tasks", id="empty list"),
        pytest.param(
            TASK.replace("title", "titel"), "2:15", "tasks[0].titel: unknown name; did you mean 'title'?", id="field"
        ),
        pytest.param(TASK.replace("title: T, ", ""), "2:5", "tasks[0].title: is missing", id="missing"),
        pytest.param(TASK.replace("prompt: P", "prompt: ''"), "2:56", "tasks[0].prompt: String should", id="blank"),
        pytest.param(TASK.replace("t01", "a b"), "2:10", "tasks[0].id: must be 1 to 64 letters", id="id"),
        pytest.param(TASK.replace("t01", "project"), "2:10", "tasks[0].id: must be", id="reserved id"),
        pytest.param(TASK.replace("code_gen", "cod_gen"), "2:31", "did you mean 'code_generation'?", id="type"),
        pytest.param(TASK + TASK.splitlines()[1] + "\n", "3:10", "tasks[1].id: 't01' is tasks[0] already", id="twice"),
        pytest.param(TASK.replace("a.py", "../a.py"), "2:67", "tasks[0].files[0]: '..' in the path", id="path"),
        pytest.param(TASK.replace("[a.py]", "a.py"), "2:66", "tasks[0].files: must be a list", id="files"),
        pytest.param(
            TASK.replace("files: [a.py]", "validators: [rufff]"), "2:72", "did you mean 'ruff'?", id="validator"
        ),
        pytest.param(
            TASK.replace("files", "dependencies: [t0], files"),
            "2:74",
            "tasks[0].dependencies[0]: 't0' is no task; did you mean 't01'?",
            id="dependency",
        ),
        pytest.param(
            TASK.replace("files", "dependencies: [t01], files"), "2:3", "dependency cycle: t01 -> t01", id="cycle"
        ),
    ],
)
def test_errors_say_where_what_and_the_fix(tmp_path: Path, content: str, where: str, says: str) -> None:
    with pytest.raises(UserInputError) as caught:
        load(tmp_path, content)
    first = str(caught.value).splitlines()[0]
    assert f"plan.yaml:{where}: " in first
    assert says in first


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    wrong = TASK.replace("code_generation", "code").replace("a.py", "/a.py") + "  - {id: t01, titel: U}\n"
    with pytest.raises(UserInputErrors) as caught:
        load(tmp_path, wrong)
    assert [line.split(": ")[1] for line in caught.value.problems] == [
        "tasks[0].type",
        "tasks[0].files[0]",
        "tasks[1].type",
        "tasks[1].prompt",
        "tasks[1].titel",
    ]


def test_a_file_without_content_or_too_much_of_it(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="the file is empty"):
        load(tmp_path, "")
    with pytest.raises(UserInputError, match="is this the right file"):
        load(tmp_path, b"#" * (MAX_FILE_BYTES + 1))
