"""Traces: the documented fields, and nothing of a model's text that could break a page or a terminal."""

import json
from datetime import datetime

import pytest

from orchestrator.pipelines import (
    Pipeline,
    PipelineExecutor,
    PipelineObserver,
    PipelineTrace,
    StepTrace,
    create_llm_step,
)

STEP_FIELDS = {
    *("step_name", "model", "input_preview", "output_preview", "latency_ms", "tokens_used", "cost", "success"),
    *("error", "skipped", "timestamp", "attempts"),
}
FIELDS = {
    *("pipeline_name", "pipeline_version", "step_traces", "total_latency_ms", "total_tokens", "total_cost", "success"),
    *("error", "started_at", "completed_at"),
}


def pipeline() -> Pipeline:
    steps = [
        create_llm_step("a", "gemini-2.5-flash-lite", "Analyze {topic}"),
        create_llm_step("b", "gemini-2.5-flash-lite", "{a_output}", condition="equals:topic:nothing"),
        create_llm_step("c", "gemini-2.5-flash-lite", "Again {topic}", depends_on="a"),
    ]
    return Pipeline("my pipeline", steps, version="2.1")


def test_a_trace_has_the_documented_fields() -> None:
    result = PipelineExecutor().execute(pipeline(), {"topic": "AI"})
    trace = PipelineObserver().build_trace_from_result(pipeline(), result)
    value = json.loads(trace.to_json())
    assert value.keys() == FIELDS
    assert all(step.keys() == STEP_FIELDS for step in value["step_traces"])
    first, skipped, last = value["step_traces"]
    assert (value["pipeline_name"], value["pipeline_version"], value["success"]) == ("my pipeline", "2.1", True)
    assert first["input_preview"] == "Analyze AI", "the prompt as it was sent"
    assert first["output_preview"].startswith("[Mock gemini-2.5-flash-lite response]")
    assert (skipped["step_name"], skipped["skipped"], skipped["error"]) == ("b", True, "")
    assert value["total_tokens"] == first["tokens_used"] + last["tokens_used"] > 0
    assert value["total_cost"] == pytest.approx(first["cost"] + last["cost"])
    began, ended = (datetime.fromisoformat(value[name]) for name in ("started_at", "completed_at"))
    assert (ended - began).total_seconds() * 1000 == pytest.approx(value["total_latency_ms"], abs=0.1)
    assert began <= datetime.fromisoformat(first["timestamp"]) <= ended


def test_a_failure_is_in_the_trace() -> None:
    def fail(model: str, prompt: str, context: dict[str, object]) -> str:
        raise ValueError("out | of\norder ```")

    result = PipelineExecutor(fail).execute(pipeline(), {"topic": "AI"})
    trace = PipelineObserver().build_trace_from_result(pipeline(), result)
    page = trace.to_markdown()
    assert "**Status:** Failed" in page
    assert "### Error in `a`" in page
    assert page.count("```") == 2
    assert "| c | N/A | 0 | 0.00 | 0 | $0.000000 | Cancelled |  |  |" in page
    assert trace.step_traces[0].model == "gemini-2.5-flash-lite"
    assert not trace.success


def test_the_page_for_a_reader() -> None:
    step = StepTrace("a", "m", "in", "out", 12.345, 7, 0.0000012, timestamp="t", attempts=2)
    trace = PipelineTrace("p", "1.0", [step, StepTrace("b", skipped=True)], started_at="2026-01-01T00:00:00+00:00")
    trace.finalize(success=True, completed_at=datetime.fromisoformat("2026-01-01T00:00:01.5+00:00"))
    page = trace.to_markdown()
    for line in (
        "# Pipeline Trace: p",
        "**Version:** 1.0  ",
        "**Status:** Success  ",
        "**Total Latency:** 1500.00ms  ",
        "**Total Tokens:** 7  ",
        "**Total Cost:** $0.000001  ",
        "## Steps",
        "| a | m | 2 | 12.35 | 7 | $0.000001 | Pass | in | out |",
        "| b | N/A | 0 | 0.00 | 0 | $0.000000 | Skipped |  |  |",
    ):
        assert line in page.splitlines()


def test_what_a_model_says_breaks_neither_table_nor_terminal() -> None:
    step = StepTrace("a", output_preview="x | y\n\x1b[31mred\x1b[0m <script> `code` \\|")
    (row,) = (
        line for line in PipelineTrace("p", step_traces=[step]).to_markdown().splitlines() if line.startswith("| a")
    )
    assert "\x1b" not in row
    assert "<script>" not in row
    assert row.replace("\\\\", "").replace("\\|", "").count("|") == 10


def test_an_observer_watches_a_run() -> None:
    observer = PipelineObserver()
    with pytest.raises(RuntimeError, match="no pipeline was started"):
        observer.end_pipeline(success=True)
    observer.start_pipeline(pipeline())
    executor = PipelineExecutor(on_step_start=observer.on_step_start, on_step_end=observer.on_step_end)
    result = executor.execute(pipeline(), {"topic": "AI"})
    trace = observer.end_pipeline(success=result.success)
    assert [step.step_name for step in trace.step_traces] == [step.step_name for step in result.steps_results]
    assert observer.traces == [trace]
    assert observer.current_trace is None


def test_a_result_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    result = PipelineExecutor().execute(pipeline(), {"topic": "AI"})
    PipelineObserver().print_result(pipeline(), result)
    assert "# Pipeline Trace: my pipeline" in capsys.readouterr().out
