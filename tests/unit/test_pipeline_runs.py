"""Runs of pipelines before and after the workflow: their input, their end, how they are shown."""

import io

import jsonschema
import pytest
from rich.console import Console

from cli.pipeline_progress import screen
from cli.pipeline_results import output_text, result_object, summary, trace_of
from orchestrator.client.pipeline_spec import build_run
from orchestrator.client.pipelines import PipelineOutput
from orchestrator.contracts.pipeline import PipelineView, StepView, step_prompt_bound
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import NO_CAP_MICRO, PriceTier
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.pipeline import LlmStep, PipelineSpec
from orchestrator.domain.pipeline_outcome import pipeline_ending
from orchestrator.domain.pipeline_state import PipelineState, StepState, StepStatus
from orchestrator.domain.text import printable
from orchestrator.providers.simulated.steps import example_of, step_answer

PRICE = PriceTier(input_micro=1, cached_input_micro=1, output_micro=1)


def model(name: str, priced: bool = True, simulated: bool = False) -> ModelSpec:
    return ModelSpec(
        id=f"alpha:{name}",
        vendor="alpha",
        model=name,
        prices=(PRICE,) if priced else (),
        context_tokens=1000,
        max_output_tokens=100,
        aliases=(f"{name}-alias",),
        simulated=simulated,
    )


MODELS = (model("one"), model("free", priced=False), model("sim", simulated=True))


def pipeline(step: dict[str, object] | None = None, **more: object) -> PipelineSpec:
    first = {"name": "a", "step_type": "llm", "model": "one-alias", "prompt": "{topic}", **(step or {})}
    return PipelineSpec.model_validate({"name": "Some Pipeline", "steps": [first], **more})


def test_models_are_resolved_once_and_only_those_that_may_be_asked_go_along() -> None:
    spec = build_run(pipeline({"fallback": ["alpha:free"]}), {"topic": "x"}, models=MODELS, embedded=True)
    assert spec.choices == {"a": ("alpha:one", "alpha:free")}
    assert {each.id for each in spec.models} == {"alpha:one", "alpha:free", "alpha:sim"}
    assert all(each.prices for each in spec.models)  # without a budget, an unknown price is none
    assert spec.unpriced == ("alpha:free",)
    assert spec.max_micro == NO_CAP_MICRO
    assert not spec.capped
    assert spec.run_id.startswith("some-pipeline-")


def test_a_cap_is_that_of_the_command_else_that_of_the_file() -> None:
    own = build_run(pipeline(budget=0.5), {"topic": "x"}, models=MODELS, embedded=True)
    assert own.max_micro == 500_000
    given = build_run(pipeline(budget=0.5), {"topic": "x"}, models=MODELS, embedded=True, max_micro=7)
    assert given.max_micro == 7


def test_what_will_not_do_is_told_before_anything_starts() -> None:
    with pytest.raises(UserInputError, match="price of alpha:free is not known"):
        build_run(pipeline({"model": "free"}), {"topic": "x"}, models=MODELS, embedded=True, max_micro=5)
    with pytest.raises(UserInputError, match="unknown model 'nobody'"):
        build_run(pipeline({"model": "nobody"}), {"topic": "x"}, models=MODELS, embedded=True)
    with pytest.raises(UserInputError, match="topic"):
        build_run(pipeline(), {}, models=MODELS, embedded=True)


def test_mock_runs_need_neither_models_nor_inputs() -> None:
    spec = build_run(
        pipeline({"model": "nobody"}, inputs={"topic": {}, "n": {"type": "integer"}}),
        {},
        models=(),
        embedded=True,
        mock=True,
    )
    assert spec.inputs == {"topic": "Sample input for topic", "n": 1}
    assert [each.id for each in spec.models] == ["mock:nobody"]


def _progress(failed: str = "", **statuses: StepStatus) -> PipelineState:
    steps = {name: StepState(status=status) for name, status in statuses.items()}
    return PipelineState(steps=steps, failed=failed, reason=f"Step '{failed}' failed: why" if failed else "")


@pytest.mark.parametrize(
    ("progress", "stopped", "flags", "status"),
    [
        (_progress(a=StepStatus.COMPLETED), None, (False, False), ProjectStatus.SUCCESS),
        (_progress(a=StepStatus.SKIPPED), None, (False, False), ProjectStatus.SUCCESS),
        (_progress("b", a=StepStatus.COMPLETED), None, (False, False), ProjectStatus.PARTIAL_SUCCESS),
        (_progress("b", b=StepStatus.FAILED), None, (False, False), ProjectStatus.SYSTEM_FAILURE),
        (_progress("b", a=StepStatus.COMPLETED), None, (True, True), ProjectStatus.BUDGET_EXHAUSTED),
        (_progress("b", a=StepStatus.COMPLETED), None, (False, True), ProjectStatus.TIMEOUT),
        (_progress("b"), ProjectStatus.CANCELLED, (True, True), ProjectStatus.CANCELLED),
    ],
)
def test_the_first_status_that_applies(
    progress: PipelineState, stopped: ProjectStatus | None, flags: tuple[bool, bool], status: ProjectStatus
) -> None:
    end = pipeline_ending(progress, stopped, "asked to", exhausted=flags[0], timed_out=flags[1])
    assert end.status is status
    assert bool(end.reason) is (status is not ProjectStatus.SUCCESS)


def test_the_bound_of_a_prompt_counts_each_use_of_a_variable() -> None:
    step = LlmStep(name="a", model="m", prompt="{x} and {x}", system="be {y}")
    assert step_prompt_bound(step, {"x": 1000, "y": 10, "z": 5}, "") >= 2 * 1000 + 10 + 5
    assert step_prompt_bound(step, {"x": 1000, "y": 10}, "") < 2 * 1000 + 10 + 300


VIEW = PipelineView(
    run_id="r-1",
    workflow_id="pipeline-r-1",
    pipeline="p",
    version="1.0",
    status=ProjectStatus.PARTIAL_SUCCESS,
    spent_micro=1200,
    max_micro=2_000_000,
    started_s=1_700_000_000.0,
    elapsed_s=2.5,
    reason="Step 'b' failed: \x1b[2Jescape",
    steps=(
        StepView(name="a", kind="llm", output_key="a_output", status="COMPLETED", attempts=2, input_tokens=5),
        StepView(name="each", kind="for_each", output_key="k", status="RUNNING", done=3, total=9),
        StepView(name="b", kind="llm", output_key="b_output", status="FAILED", depth=1, reason="why\nnot"),
        StepView(name="c", kind="llm", output_key="c_output", status="SKIPPED"),
    ),
)


def test_the_live_view_shows_what_fits() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(screen(VIEW, 8))
    shown = console.file
    assert isinstance(shown, io.StringIO)
    text = shown.getvalue()
    assert "RUNNING 3/9" in text
    assert "… and 1 more steps" in text
    assert "\x1b" not in text


def test_results_are_one_line_per_fact_and_have_no_escapes() -> None:
    lines = summary(VIEW)
    assert all("\n" not in line and "\x1b" not in line for line in lines)
    assert any("$0.0012 of $2.00" in line for line in lines)
    found = result_object(PipelineOutput(view=VIEW, final_output=None))
    assert found["max_usd"] == 2.0
    assert not found["success"]


def test_the_trace_has_the_documented_fields() -> None:
    trace = trace_of(VIEW).to_dict()
    assert trace["total_latency_ms"] == 2500
    assert trace["total_tokens"] == 5
    assert [step["success"] for step in trace["step_traces"]] == [True, False, False, True]
    assert trace["step_traces"][3]["skipped"]
    assert "### Error in `b`" in trace_of(VIEW).to_markdown()


def test_outputs_for_readers() -> None:
    assert output_text("a\n\tb\x1b[31mred\x07") == "a\n\tbred"
    assert output_text({"ä": [1]}) == '{\n  "ä": [\n    1\n  ]\n}'
    assert printable("x\r\ny\u202ez") == "x\nyz"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}, "b": {"enum": ["x"]}}},
        {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 9}},
        {"$defs": {"n": {"type": "number", "maximum": 0.5}}, "properties": {"n": {"$ref": "#/$defs/n"}}},
        {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        {"type": ["string", "null"], "maxLength": 3},
    ],
)
def test_simulated_answers_fit_their_schema(schema: dict[str, object]) -> None:
    jsonschema.validate(example_of(schema), schema)
    assert step_answer("m", "p", schema)
