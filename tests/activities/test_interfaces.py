"""Workflows call activities by the interfaces: implementations have the same names and types."""

import inspect

import pytest
from temporalio import activity

from activities.batches import BatchActivities
from activities.delivery import DeliveryActivities
from activities.interfaces import STAGE_ACTIVITIES, ModelInterface, ToolInterface
from activities.model_calls import ModelActivities
from activities.pipeline_calls import StepActivities
from activities.pipeline_tools import PipelineToolActivities
from activities.tools import ToolActivities
from orchestrator.contracts import names


def definitions(owner: type) -> dict[str, tuple[str | None, object, object]]:
    """Name on the wire, argument types and result type of every activity of a class."""
    found: dict[str, tuple[str | None, object, object]] = {}
    for name, member in inspect.getmembers(owner, inspect.isfunction):
        definition = activity._Definition.from_callable(member)
        if definition is not None:
            found[name] = (definition.name, definition.arg_types, definition.ret_type)
    return found


@pytest.mark.parametrize(
    ("interface", "implementation"), [(ModelInterface, ModelActivities), (ToolInterface, ToolActivities)]
)
def test_implementations_have_the_names_and_types_of_the_interface(interface: type, implementation: type) -> None:
    wanted = definitions(interface)
    assert wanted
    assert definitions(implementation) == wanted


def test_every_pinned_name_has_an_activity() -> None:
    pinned = {value for name, value in vars(names).items() if name.startswith("ACTIVITY_")}
    pinned |= set(STAGE_ACTIVITIES.values())
    owners = (
        ModelInterface,
        ToolInterface,
        StepActivities,
        PipelineToolActivities,
        BatchActivities,
        DeliveryActivities,
    )
    assert {wire for owner in owners for wire, _, _ in definitions(owner).values()} == pinned
