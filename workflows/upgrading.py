"""The batch as workers with a build id serve it: the server takes a versioning behaviour from no others."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from orchestrator.contracts import names
    from orchestrator.contracts.batch import BatchInput, BatchView

from workflows.batch import BatchWorkflow


# It lives for hours and decides only what starts next: what has not started begins with the code of the day.
@workflow.defn(name=names.BATCH_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradingBatchWorkflow(BatchWorkflow):
    """A batch that goes on with the code of the day."""

    @workflow.init
    def __init__(self, run_input: BatchInput) -> None:
        super().__init__(run_input)

    @workflow.run
    async def run(self, run_input: BatchInput) -> BatchView:
        """As the batch does."""
        return await super().run(run_input)
