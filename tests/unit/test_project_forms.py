"""The flat and the nested form of a project file say the same; what is said twice or elsewhere is refused."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.client.project_file import ProjectFile, load_project_file
from orchestrator.client.project_shape import ProjectShape
from orchestrator.domain.apps import (
    AppType,
    ArchitectureWishes,
    DependencyPolicy,
    EnhanceMode,
    UserCommand,
)
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.policy import Policy
from orchestrator.domain.tasks import TaskType


def load(folder: Path, text: str, name: str = "p.yaml") -> ProjectFile:
    (folder / name).write_text(text, encoding="utf-8")
    return load_project_file(folder / name, lambda model: model)


def test_the_nested_form_says_the_same_as_the_flat_one(tmp_path: Path) -> None:
    nested = load(
        tmp_path,
        "project: {title: T, description: D, success_criteria: C}\n"
        "budget: {max_usd: 5.0, max_time_seconds: 3600}\n"
        "policy: {enforcement_mode: hard, allowed_providers: [openai, anthropic]}\n"
        "output: {dir: out}\n",
    )
    flat = load(
        tmp_path,
        'project: "T\\n\\nD"\ncriteria: C\nbudget_usd: 5\ntime_seconds: 3600\n'
        "policies: [{name: policy, allowed_vendors: [openai, anthropic]}]\noutput_dir: out\n",
    )
    as_json = load(
        tmp_path,
        '{"project": "T\\n\\nD", "criteria": "C", "budget": 5.0, "time": "1h", "output": "out",\n\t"policy":'
        ' {"name": "policy", "allowed_vendors": ["openai", "anthropic"]}}',
        "p.json",
    )
    assert nested == flat == as_json
    assert nested.policies == (Policy(name="policy", allowed_vendors=("openai", "anthropic")),)


def test_what_the_software_is_to_be(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "app-type: react-fastapi\narchitecture: {structural-pattern: layered, stack: [a, b], run_command: run me}\n"
        "dependencies: {allowed: [My_Lib, '@Types/Node'], pinned: {Fast.API: ==1.2}}\n"
        "validators: [ruff, ruff]\nverify_cmd: make test\n"
        "commands: [a b, {name: slow, run: c, timeout: 5m}]\n"
        "quality_targets: {code_generation: 0.9}\nenhance: all\nadvise: no\nproject_id: my-project-001\n",
    )
    assert found == ProjectFile(
        wishes=ArchitectureWishes(
            app_type=AppType.REACT_FASTAPI, structural_pattern="layered", stack=("a", "b"), run_command="run me"
        ),
        dependencies=DependencyPolicy(allowed=("my-lib", "@types/node"), pinned={"fast-api": "1.2"}),
        validators=("ruff",),
        commands=(
            UserCommand(name="a b", run="a b"),
            UserCommand(name="slow", run="c", timeout_s=300.0),
            UserCommand(name="make test", run="make test"),
        ),
        quality_targets={TaskType.CODE_GENERATION: 0.9},
        enhance=EnhanceMode.ALL,
        advise=False,
        project_id="my-project-001",
    )


def test_policies_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("policies: [{allowed_regions: [eu]}, {name: n, blocked_vendors: [v]}]\n")
    several = load(tmp_path, "policies: [shared.yaml, {blocked_models: [m]}]\n").policies
    assert [policy.name for policy in several] == ["shared.yaml[0]", "n", "policies[1]"]
    assert several[2].blocked_models == ("m",)
    assert load(tmp_path, "policies: shared.yaml\n").policies == several[:2]
    (tmp_path / "shared.yaml").write_text("policies: [{allowed_region: [eu]}]\n")
    with pytest.raises(UserInputError, match=r"shared.yaml:1:13: policies\[0\].allowed_region: unknown name; did you"):
        load(tmp_path, "policies: shared.yaml\n")


NAMES = st.sampled_from([*ProjectShape.model_fields, "description", "max_usd", "path", "source", "name", "run", "t1"])
WORDS = st.sampled_from(["", "1", "0.5", "off", "plan", "cli", "../x", "a\x1b[1m", "ruff", "1h"]) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_a_file_says_is_read_or_told_with_its_place(tmp_path: Path, content: dict[str, object]) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        load_project_file(path, lambda model: model)
    except UserInputError as error:
        for line in str(error).splitlines():
            assert re.match(rf"{path}(:\d+:\d+)?: ", line)
            assert "\x1b" not in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("project: {description: d, success_criteria: c}\ncriteria: c\n", "1:27: project.success_criteria: is said by"),
        ("budget: 1\nbudget_usd: 2\n", "2:1: budget_usd: is said by 'budget' already; remove one"),
        ("budget: {max_time_seconds: 5}\ntime: 5\n", "1:10: budget.max_time_seconds: is said by 'time' already"),
        ("app_type: cli\narchitecture: {app_type: cli}\n", "2:16: architecture.app_type: is said by"),
        ("no_enhance: true\nenhance: ask\n", "1:1: no_enhance: is said by 'enhance' already"),
        ("policies: none.yaml\n", "1:11: policies: there is no file 'none.yaml' beside"),
        ("policies: ../p.yaml\n", "1:11: policies: '..' in the path"),
        ("policies: [/etc/passwd]\n", "1:12: policies[0]: absolute path"),
        ("policies: [{name: x}]\n", "1:12: policies[0]: has no rule; known rules: allowed_vendors"),
        ("policy: {allowed_vendors: []}\n", "1:27: policy.allowed_vendors: is empty; name at least one"),
        ("policy: {allowed_vendors: [v], enforcement_mode: soft}\n", "so only 'hard' makes sense"),
        ("policy: {max_cost_per_task_usd: 1}\n", "is not taken here: the cap is that of the project, 'budget'"),
        ("task_paths: {1: a}\n", "task_paths: is not taken here: the plan says which task"),
        ("project_id: A b\n", "project_id: must be 1 to 120 small letters"),
        ("dependencies: {denied: ['a>=1']}\n", "'a>=1' is no name of a package"),
        ("quality_targets: {code_generation: 0}\n", "quality_targets.code_generation: input should be greater than 0"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserInputError) as caught:
        load(tmp_path, text)
    assert says in str(caught.value)
