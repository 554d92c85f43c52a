"""Names on the wire: pinned strings, so that moving code never breaks a history."""

from orchestrator.domain.model import ModelSpec

PROJECT_WORKFLOW = "ProjectWorkflow"
PIPELINE_WORKFLOW = "PipelineWorkflow"
BATCH_WORKFLOW = "BatchWorkflow"
WORKFLOW_TYPES = (PROJECT_WORKFLOW, PIPELINE_WORKFLOW, BATCH_WORKFLOW)
# Nobody works for this one: while it is open under a run's id, no run can start under that id.
RETENTION_HOLD = "RetentionHold"
QUEUE_NOBODY = "orch-nobody"

QUEUE_WORKFLOWS = "orch-workflows"
# Where one process does everything, calls share the queue's name, so that it gets a call together with the decision
# to make it.
QUEUE_MODELS = QUEUE_WORKFLOWS
QUEUE_TOOLS = "orch-tools"
DEPLOYMENT = "orch"  # all versions of our workers, as Temporal's worker deployment
SIMULATED = "simulated"  # in place of a vendor, all that only pretend to be one

# Smaller is sooner; what says nothing has 3.
PRIORITY_ATTENDED = 2  # somebody waits for the run
PRIORITY_UNATTENDED = 4  # batches and schedules

ACTIVITY_PREPARE = "project.prepare"
ACTIVITY_APPLY_SUGGESTIONS = "project.apply_suggestions"
ACTIVITY_CHECK = "project.check"
ACTIVITY_INSTALL = "project.install"
ACTIVITY_STORE_TEXT = "project.store_text"
ACTIVITY_SAVE_STATE = "project.save_state"
ACTIVITY_RECONCILE = "project.reconcile"
ACTIVITY_PUBLISH = "project.publish"
ACTIVITY_VALIDATE = "task.validate"
ACTIVITY_SCAFFOLD = "project.scaffold"
ACTIVITY_PIPELINE_PREPARE = "pipeline.prepare"
ACTIVITY_PIPELINE_LLM = "pipeline.llm"
ACTIVITY_PIPELINE_TEST = "pipeline.test"
ACTIVITY_PIPELINE_EXPAND = "pipeline.expand"
ACTIVITY_PIPELINE_TRANSFORM = "pipeline.transform"
ACTIVITY_PIPELINE_ASSEMBLE = "pipeline.assemble"
ACTIVITY_PIPELINE_PUBLISH = "pipeline.publish"
ACTIVITY_BATCH_OPEN = "batch.open"
ACTIVITY_BATCH_LOAD = "batch.load"
ACTIVITY_BATCH_LOOK = "batch.look"
ACTIVITY_BATCH_PUBLISH = "batch.publish"
ACTIVITY_DELIVER_FILES = "delivery.files"
ACTIVITY_DELIVER_WEBHOOK = "delivery.webhook"
ACTIVITY_DELIVER_COMMAND = "delivery.command"
ACTIVITY_MONTH_RESERVE = "schedule.reserve"
ACTIVITY_MONTH_SETTLE = "schedule.settle"

SIGNAL_PAUSE = "pause"
SIGNAL_RESUME = "resume"
SIGNAL_CANCEL_TASK = "cancel_task"
SIGNAL_PROJECT_ENDED = "project_ended"

UPDATE_CHOOSE_SUGGESTIONS = "choose_suggestions"
UPDATE_APPROVE_PLAN = "approve_plan"
UPDATE_SET_BUDGET = "set_budget"
UPDATE_SET_TIME_LIMIT = "set_time_limit"
UPDATE_SET_CONCURRENCY = "set_concurrency"
UPDATE_RETRY_TASK = "retry_task"
UPDATE_SKIP_TASK = "skip_task"
UPDATE_OVERRIDE_MODEL = "override_model"
UPDATE_ADD_GUIDANCE = "add_guidance"

QUERY_STATUS = "status"
QUERY_TASKS = "tasks"
QUERY_SUGGESTIONS = "suggestions"
QUERY_PLAN = "plan"
QUERY_BUDGET = "budget"
QUERY_BREAKERS = "breakers"
QUERY_AUDIT = "audit"
QUERY_EVENTS = "events"

SEARCH_KEYWORDS = ("OrchStatus", "OrchPhase", "OrchTeam", "OrchAppType")
SEARCH_DOUBLES = ("OrchSpentUsd", "OrchQuality")
SEARCH_INTS = ("OrchTasksDone", "OrchTasksTotal")

MEMO_PROJECT = "project"  # first line of the project text
MEMO_PIPELINE = "pipeline"  # name of the pipeline
MEMO_BATCH = "batch"  # of a batch its name, of a project the id of its batch
MEMO_MAX_USD = "max_usd"
MEMO_FINGERPRINT = "fingerprint"  # of project text and criteria
MEMO_KEYWORDS = "keywords"  # of both, blank-separated


def queue_for(model: ModelSpec, *, apart: bool) -> str:
    """The task queue that calls of this model go to. `apart`: in a cluster, where each vendor has its own."""
    if not apart:
        return QUEUE_MODELS
    return vendor_queue(SIMULATED if model.simulated else model.vendor)


def vendor_queue(vendor: str) -> str:
    """The queue of a vendor, or of all simulated models together: nobody limits those, and queues have to be polled."""
    return f"orch-models-{vendor}"


def workflow_id(project_id: str) -> str:
    """The id of the workflow that runs this project."""
    return f"project-{project_id}"


def pipeline_workflow_id(run_id: str) -> str:
    """The id of the workflow that runs this pipeline."""
    return f"pipeline-{run_id}"


def batch_workflow_id(batch_id: str) -> str:
    """The id of the workflow that runs this batch."""
    return f"batch-{batch_id}"
