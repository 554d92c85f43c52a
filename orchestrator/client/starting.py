"""Starts the workflow of a project."""

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from orchestrator.client.rpc import RPC_TIMEOUT, rpc_errors
from orchestrator.client.similar import fingerprint, keywords
from orchestrator.client.site import Site
from orchestrator.client.urgency import team_attribute, urgency
from orchestrator.contracts.details import project_details
from orchestrator.contracts.names import (
    MEMO_FINGERPRINT,
    MEMO_KEYWORDS,
    MEMO_MAX_USD,
    MEMO_PROJECT,
    PROJECT_WORKFLOW,
    QUEUE_WORKFLOWS,
    workflow_id,
)
from orchestrator.contracts.project import ProjectStatus
from orchestrator.contracts.state import ProjectInput
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.money import usd

_SUMMARY_CHARS = 100
_STATUS = SearchAttributeKey.for_keyword("OrchStatus")


async def start_project(site: Site, run_input: ProjectInput) -> str:
    """Starts the run at a site that is made ready; its workflow id. Raises UserInputError while the project runs."""
    registered = await site.ready()
    spec = run_input.spec.model_copy(update={"search_attributes": registered})
    first_line = (spec.project.strip().splitlines() or [""])[0][:_SUMMARY_CHARS]
    memo = {
        MEMO_PROJECT: first_line,
        MEMO_MAX_USD: usd(spec.max_micro),
        # Nobody who starts a project means one that was only to be advised.
        MEMO_FINGERPRINT: "" if spec.advise_only else fingerprint(spec.project, spec.criteria),
        MEMO_KEYWORDS: "" if spec.advise_only else keywords(spec.project, spec.criteria),
    }
    planning = TypedSearchAttributes(
        [SearchAttributePair(_STATUS, ProjectStatus.PLANNING.value), *team_attribute(spec.team)]
    )
    try:
        with rpc_errors(site.address):
            handle = await site.client().start_workflow(
                PROJECT_WORKFLOW,
                run_input.model_copy(update={"spec": spec}),
                id=workflow_id(spec.project_id),
                task_queue=QUEUE_WORKFLOWS,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                task_timeout=site.task_timeout,
                memo=memo,
                search_attributes=planning if registered else None,
                static_summary=first_line,
                static_details=project_details(spec),
                priority=urgency(spec.team, attended=True),
                rpc_timeout=RPC_TIMEOUT,
            )
    except WorkflowAlreadyStartedError:
        raise UserInputError(
            f"project {spec.project_id} runs already; follow it with 'orch-cli watch {spec.project_id}'"
        ) from None
    return handle.id
