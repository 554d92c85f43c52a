"""A project of a batch tells it how it has ended."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts.batch import end_of
    from orchestrator.contracts.names import SIGNAL_PROJECT_ENDED, batch_workflow_id
    from orchestrator.contracts.project import Membership, ProjectView


async def tell_batch(member: Membership, view: ProjectView) -> None:
    """Send the result's facts. A batch that is not there any more needs none."""
    batch = workflow.get_external_workflow_handle(batch_workflow_id(member.batch_id))
    with suppress(FailureError):
        await batch.signal(SIGNAL_PROJECT_ENDED, end_of(member.key, view))
