"""The state of a run that has ended: its result, its plan, its files and its calls together."""

from orchestrator.api.happenings import result_of, spent
from orchestrator.api.values import Budget, ProjectState, TaskResult, joined, number, task_of
from orchestrator.client.facade import OrchClient
from orchestrator.contracts.project import ProjectSpec, ProjectView, TaskView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.graph import in_order
from orchestrator.domain.money import usd


async def state_of(client: OrchClient, spec: ProjectSpec, view: ProjectView) -> ProjectState:
    """The state of the run that `spec` describes and that ended as `view` says."""
    try:
        planned = await client.plan(view.project_id)
    except UserInputError:  # it ended before it stored anything
        planned = ()
    files, calls = await client.files(view), await client.calls(view)
    return ProjectState(
        project_id=view.project_id,
        project_description=spec.project,
        success_criteria=spec.criteria,
        status=view.status,
        budget=Budget(
            max_usd=usd(view.max_micro),
            max_time_seconds=spec.time_limit_s,
            spent_usd=usd(view.spent_micro + view.uncertain_micro),
            elapsed_seconds=view.elapsed_s,
            phase_spent={phase: usd(amount) for phase, amount in spent(view).items()},
        ),
        tasks={task.id: task_of(task) for task in planned},
        results={task.id: _result(task, files, calls) for task in view.tasks},
        execution_order=tuple(task.id for task in in_order(planned)),
        overall_quality_score=number(view.quality_score),
        architecture=view.architecture,
        simulated=view.simulated,
        reason=view.reason,
        calls=view.calls,
    )


def _result(task: TaskView, files: dict[str, bytes], calls: list[CallRecord]) -> TaskResult:
    own = [call for call in calls if call.task == task.id]
    return result_of(task).model_copy(
        update={
            "output": joined({path: files[path] for path in task.files if path in files}),
            "tokens_used": {
                "input": sum(call.input_tokens for call in own),
                "output": sum(call.output_tokens for call in own),
            },
        }
    )
