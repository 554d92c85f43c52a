"""Policies of the domain, and of a project file."""

from pathlib import Path

import pytest

from orchestrator.client.project_file import load_project_file
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.policy import Policy, forbidden, permitted, refusals

EAST = ModelSpec(id="east:a", vendor="east", model="a", region="cn", context_tokens=1, max_output_tokens=1)
WEST = ModelSpec(id="west:b", vendor="west", model="b", region="us", context_tokens=1, max_output_tokens=1)
NOWHERE = ModelSpec(id="far:c", vendor="far", model="c", context_tokens=1, max_output_tokens=1)
ALL = (EAST, WEST, NOWHERE)


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (Policy(name="p"), ALL),
        (Policy(name="p", blocked_vendors=("east",)), (WEST, NOWHERE)),
        (Policy(name="p", blocked_models=("west:b",)), (EAST, NOWHERE)),
        (Policy(name="p", allowed_vendors=("east", "far")), (EAST, NOWHERE)),
        (Policy(name="p", allowed_regions=("us",)), (WEST,)),
    ],
)
def test_each_rule(policy: Policy, left: tuple[ModelSpec, ...]) -> None:
    assert permitted(ALL, (policy,)) == left
    assert len(refusals(ALL, (policy,))) == len(ALL) - len(left)


def test_all_policies_hold_together_and_the_reason_names_the_first() -> None:
    policies = (Policy(name="one", blocked_vendors=("east",)), Policy(name="two", allowed_regions=("cn",)))
    assert permitted(ALL, policies) == ()
    assert forbidden(EAST, policies) == "policy one blocks east"
    assert forbidden(NOWHERE, policies) == "policy two does not allow region unknown"


def _resolve(name: str) -> str:
    if name != "small":
        raise ValueError(f"unknown model {name!r}")
    return "v:small"


def test_a_project_file_names_policies(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("policies:\n  - {name: p, blocked_models: [small], allowed-regions: [eu]}\n")
    found = load_project_file(path, _resolve)
    assert found.policies == (Policy(name="p", blocked_models=("v:small",), allowed_regions=("eu",)),)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("policies:\n  - {name: p}", "2:5: policies[0]: has no rule"),
        ("policies:\n  - {name: p, allowed_vendors: []}", "is empty; name at least one"),
        ("policies:\n  - {name: p, blocked_models: [x]}", "unknown model 'x'"),
        ("policies:\n  - {name: p, blocked_vendor: [x]}", "did you mean 'blocked_vendors'?"),
        ("policies: {name: p}", "1:11: policies: must not be a mapping"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(UserInputError) as caught:
        load_project_file(path, _resolve)
    assert f"{path}:" in str(caught.value)
    assert wrong in str(caught.value)
