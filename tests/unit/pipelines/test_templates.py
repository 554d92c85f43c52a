"""The pipelines that come along: each can run, on models that there are, and gives what it says."""

from typing import Any

import pytest

from orchestrator.catalog import open_catalog
from orchestrator.domain.pipeline import LlmStep, all_steps
from orchestrator.pipelines import Pipeline, PipelineExecutor, templates
from orchestrator.pipelines.loader import parse_pipeline
from orchestrator.settings import load_settings

INPUTS: dict[str, dict[str, Any]] = {
    "research_and_summarize": {"topic": "bees"},
    "extract_and_validate": {"document": "Ann paid 3 EUR."},
    "translate_and_review": {"source_text": "Hello", "target_language": "Latin"},
    "analyze_and_report": {"input_data": "a,b\n1,2"},
    "compare_and_choose": {"question": "Why?"},
    "sort_messages": {"messages": ["It is broken!", "Thank you"]},
}
DOCUMENTED = {
    "research_and_summarize": {
        "research": "research_output",
        "extract_key_points": "key_points",
        "summarize": "summary",
    },
    "extract_and_validate": {
        "extract": "extracted_data",
        "validate": "validation_result",
        "format_output": "formatted_output",
    },
    "translate_and_review": {
        "translate": "translation",
        "back_translate": "back_translation",
        "review": "review_result",
    },
    "analyze_and_report": {
        "initial_analysis": "analysis",
        "identify_trends": "trends",
        "generate_recommendations": "recommendations",
        "compile_report": "final_report",
    },
}


def test_all_are_known() -> None:
    assert set(templates.names()) == set(INPUTS)
    with pytest.raises(KeyError):
        templates.source("nothing")


@pytest.mark.parametrize("name", INPUTS)
def test_a_template_can_run_on_models_that_there_are(name: str) -> None:
    models = open_catalog(load_settings()).models
    spec = parse_pipeline(templates.source(name), models=models)
    assert spec == templates.load(name)
    assert spec.name == name
    assert all(each.description for each in spec.inputs.values() if each.required)
    for step in all_steps(spec.steps):
        if isinstance(step, LlmStep):
            aliases = {alias for model in models for alias in model.aliases}
            assert {step.model, *step.fallback} <= aliases, "models are named by alias, so that they stay current"
            assert len({step.model, *step.fallback}) > 1


@pytest.mark.parametrize("name", INPUTS)
def test_a_template_runs(name: str) -> None:
    pipeline = Pipeline.of(templates.load(name))
    assert Pipeline.from_yaml(pipeline.to_yaml()) == pipeline
    result = PipelineExecutor().execute(pipeline, INPUTS[name])
    assert result.success, result.error
    assert result.final_output


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_templates_have_their_steps(name: str) -> None:
    spec = templates.load(name)
    assert {step.name: step.output_key for step in spec.steps} == DOCUMENTED[name]
    names = [step.name for step in spec.steps]
    assert [step.depends_on for step in spec.steps] == [(), *((before,) for before in names[:-1])]


def test_urgent_messages_are_escalated_and_others_are_not() -> None:
    pipeline = Pipeline.of(templates.load("sort_messages"))

    def answers(urgent: bool) -> Any:
        def answer(model: str, prompt: str, context: dict[str, Any]) -> str:
            return f'{{"category": "bug", "urgent": {str(urgent).lower()}}}' if "Classify" in prompt else "Hurry up."

        return answer

    loud = PipelineExecutor(answers(urgent=True)).execute(pipeline, INPUTS["sort_messages"]).final_output
    assert loud == {"total": 2, "urgent": 2, "categories": ["bug"], "escalation": "Hurry up."}
    calm = PipelineExecutor(answers(urgent=False)).execute(pipeline, INPUTS["sort_messages"]).final_output
    assert calm == {"total": 2, "urgent": 0, "categories": ["bug"], "escalation": "nothing is urgent"}
