"""From a pipeline and what it is given to the frozen input of a run."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from orchestrator.client.spec import (
    CLUSTER_CONTINUE_AFTER_EVENTS,
    CLUSTER_TIMEOUTS,
    EMBEDDED_CONTINUE_AFTER_EVENTS,
    EMBEDDED_TIMEOUTS,
    new_project_id,
    parse_budget,
)
from orchestrator.contracts.pipeline import MOCK_VENDOR, PipelineRunSpec
from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.model import ModelSpec, find_model
from orchestrator.domain.money import FREE, NO_CAP_MICRO
from orchestrator.domain.pipeline import InputSpec, InputType, LlmStep, PipelineSpec, all_steps
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.policy import Policy
from orchestrator.pipelines.inputs import given
from orchestrator.pipelines.validation import plan_of

_MOCK_CONTEXT_TOKENS = 10_000_000
_MOCK_OUTPUT_TOKENS = 1_000_000


def build_run(
    spec: PipelineSpec,
    values: Mapping[str, JsonValue],
    *,
    models: Iterable[ModelSpec],
    embedded: bool,
    readable_id: bool = True,
    max_micro: int | None = None,
    mock: bool = False,
    policies: tuple[Policy, ...] = (),
) -> PipelineRunSpec:
    """A run of `spec`, under the cap `max_micro`, else its own budget, else none.

    With `mock` no model is asked, and inputs that are missing are made up. Raises UserInputError, with everything that
    is wrong, where the pipeline, its inputs or a model will not do.
    """
    plan = plan_of(spec)
    inputs = given(plan, {**_made_up(plan), **values} if mock else values)
    cap = max_micro if max_micro is not None else None if spec.budget is None else parse_budget(str(spec.budget))
    known = tuple(models)
    choices: dict[str, tuple[str, ...]] = {}
    chosen: dict[str, ModelSpec] = {}
    wrong: list[str] = []
    unpriced: list[str] = []
    for step in all_steps(spec.steps):
        if not isinstance(step, LlmStep):
            continue
        own = []
        for name in (step.model, *step.fallback):
            model = _mocked(name) if mock else find_model(name, known)
            if model is None:
                wrong.append(f"step {step.name!r}: unknown model {name[:80]!r}; 'orch-cli models' lists them")
            elif cap is not None and not model.prices:
                wrong.append(f"step {step.name!r}: the price of {model.id} is not known, so that no budget can hold")
            else:
                if not model.prices:
                    unpriced.append(model.id)
                chosen[model.id] = model if model.prices else model.model_copy(update={"prices": FREE})
                own.append(model.id)
        choices[step.name] = tuple(dict.fromkeys(own))
    if wrong:
        raise UserInputErrors(wrong) if len(wrong) > 1 else UserInputError(wrong[0])
    simulated = () if mock else (model for model in known if model.simulated and model.id not in chosen)
    return PipelineRunSpec(
        run_id=new_project_id(spec.name, readable=readable_id),
        plan=plan,
        inputs=inputs,
        max_micro=NO_CAP_MICRO if cap is None else cap,
        models=(*chosen.values(), *simulated),
        unpriced=tuple(dict.fromkeys(unpriced)),
        policies=policies,
        choices=choices,
        timeouts=EMBEDDED_TIMEOUTS if embedded else CLUSTER_TIMEOUTS,
        continue_after_events=EMBEDDED_CONTINUE_AFTER_EVENTS if embedded else CLUSTER_CONTINUE_AFTER_EVENTS,
        vendor_queues=not embedded,
    )


def _mocked(name: str) -> ModelSpec:
    return ModelSpec(
        id=f"{MOCK_VENDOR}:{name}",
        vendor=MOCK_VENDOR,
        model=name,
        prices=FREE,
        context_tokens=_MOCK_CONTEXT_TOKENS,
        max_output_tokens=_MOCK_OUTPUT_TOKENS,
        simulated=True,
    )


def _made_up(plan: PipelinePlan) -> dict[str, JsonValue]:
    """A value for each input that must be given."""
    return {name: _sample(name, each) for name, each in plan.inputs.items() if each.required}


def _sample(name: str, spec: InputSpec) -> JsonValue:
    text = f"Sample input for {name}"
    match spec.type:
        case InputType.NUMBER | InputType.INTEGER:
            return 1
        case InputType.BOOLEAN:
            return True
        case InputType.LIST:
            return [text]
        case InputType.OBJECT:
            return {"sample": text}
        case _:
            return text
