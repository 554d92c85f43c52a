"""Every example of docs/pipelines.md runs, and its tables name what there is; so do the examples of the tool before."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.catalog import open_catalog
from orchestrator.domain.breaker import TRANSIENT
from orchestrator.domain.errors import FailureKind
from orchestrator.domain.pipeline import Builtin, InputSpec, InputType, PipelineSpec, RetryPolicy
from orchestrator.pipelines import Pipeline, PipelineExecutor, templates
from orchestrator.pipelines.builtins import OPTIONS
from orchestrator.pipelines.functions import FUNCTIONS
from orchestrator.pipelines.jinja_text import FILTERS
from orchestrator.pipelines.loader import KINDS, load_pipeline, parse_pipeline
from orchestrator.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/pipelines.md").read_text(encoding="utf-8")
BLOCKS = r"^```{kind}\n(.*?)^```\n(?:```text\n(.*?)^```$)?"
YAML = [text for text, _ in re.findall(BLOCKS.format(kind="yaml"), PAGE, flags=re.MULTILINE | re.DOTALL)]
PYTHON = re.findall(BLOCKS.format(kind="python"), PAGE, flags=re.MULTILINE | re.DOTALL)
SAMPLES: dict[InputType, Any] = {InputType.LIST: ["a", "b"], InputType.BOOLEAN: True}

# The examples of the tool that this one replaces; `src` is now `orchestrator.pipelines`, the rest is as it was.
BUILDING = """
from src.pipeline import Pipeline
from src.executor import PipelineExecutor
from src.observability import PipelineObserver
from src.steps import create_llm_step, create_transform_step

# Build pipeline programmatically
pipeline = Pipeline(name="analysis", description="Analyze and summarize")

pipeline.add_step(
    create_llm_step(
        name="analyze",
        model="gemini-2.5-flash-lite",
        prompt_template="Analyze: {topic}",
        output_key="analysis",
    )
)

pipeline.add_step(
    create_transform_step(
        name="format",
        transform_fn=lambda ctx: ctx["analysis"].upper(),
        output_key="formatted",
    )
)

pipeline.add_step(
    create_llm_step(
        name="summarize",
        model="gemini-2.5-flash-lite",
        prompt_template="Summarize: {formatted}",
        output_key="summary",
        depends_on="format",
    )
)

# Execute with mock models (no API keys needed)
executor = PipelineExecutor()
result = executor.execute(pipeline, {"topic": "AI Safety"})

# Observe and trace
observer = PipelineObserver()
trace = observer.build_trace_from_result(pipeline, result)
print(trace.to_markdown())
"""
RETRYING = """
from src.retry import RetryStrategy, FallbackChain, CircuitBreaker, BackoffStrategy

# Retry with exponential backoff
strategy = RetryStrategy(
    max_retries=3,
    backoff=BackoffStrategy.EXPONENTIAL,
    base_delay_seconds=1.0,
)

# Fallback chain: try multiple models
chain = FallbackChain()
chain.add_option("primary", lambda: call_model("gpt-4", prompt))
chain.add_option("fallback", lambda: call_model("gpt-3.5-turbo", prompt))
name, result = chain.execute()

# Circuit breaker: stop after 5 consecutive failures
breaker = CircuitBreaker(failure_threshold=5, recovery_timeout_seconds=60)
result = breaker.call(lambda: call_model("gpt-4", prompt))
"""


def run(code: str, folder: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples() -> None:
    assert (len(YAML), len(PYTHON)) == (3, 3)


@pytest.mark.parametrize("text", YAML)
def test_a_file_of_the_page_can_run_and_runs(text: str) -> None:
    spec = parse_pipeline(text, models=open_catalog(load_settings()).models)
    pipeline = Pipeline.of(spec)
    inputs = {name: SAMPLES.get(each.type, "some text") for name, each in pipeline.plan().inputs.items()}
    result = PipelineExecutor().execute(pipeline, inputs)
    assert result.success, result.error
    assert Pipeline.from_yaml(pipeline.to_yaml()) == pipeline


@pytest.mark.parametrize(("code", "output"), PYTHON)
def test_an_example_prints_what_the_page_says(code: str, output: str, tmp_path: Path) -> None:
    assert run(code, tmp_path) == output


def test_the_examples_of_the_tool_before_work(tmp_path: Path) -> None:
    page = run(BUILDING.replace("from src.", "from orchestrator.pipelines."), tmp_path)
    assert page.startswith("# Pipeline Trace: analysis\n")
    assert "**Status:** Success" in page
    asked = "def call_model(model, prompt):\n    return f'{model}: {prompt}'\n\n\nprompt = 'Hello'\n"
    shown = "\nprint(name, result)\n"
    assert run(asked + RETRYING.replace("from src.", "from orchestrator.pipelines.") + shown, tmp_path) == (
        "primary gpt-4: Hello\n"
    )


def test_every_field_is_described() -> None:
    shapes = (PipelineSpec, InputSpec, RetryPolicy, *KINDS.values(), *OPTIONS.values())
    for shape in shapes:
        for name in shape.model_fields:
            assert f"`{name}`" in PAGE, f"{shape.__name__}.{name}"


def test_every_name_is_described() -> None:
    for name in FUNCTIONS:
        assert re.search(rf"`{name}\(", PAGE), name
    names = [*KINDS, *(each.value for each in (*InputType, *Builtin)), *FILTERS, *templates.names()]
    names += [kind.value for kind in (*FailureKind,) if kind not in (FailureKind.LOST, FailureKind.CANCELLED)]
    assert not [name for name in names if f"`{name}`" not in PAGE]
    assert {FailureKind.TIMEOUT, FailureKind.CONNECTION, FailureKind.RATE_LIMIT, FailureKind.SERVER} == TRANSIENT


def test_templates_are_described_as_they_describe_themselves() -> None:
    for name in templates.names():
        assert f"| `{name}` | {templates.load(name).description} |" in PAGE


def test_the_examples_run(tmp_path: Path) -> None:
    shown = run((ROOT / "examples/pipelines/in_a_program.py").read_text(encoding="utf-8"), tmp_path)
    assert "reserve on: What does it cost? Temporal" in shown
    spec = load_pipeline(ROOT / "examples/pipelines/release_notes.yaml", open_catalog(load_settings()).models)
    result = PipelineExecutor().execute(Pipeline.of(spec), {"commits": ["Fix login", "Add export"]})
    assert result.success, result.error
    assert [step.step_name for step in result.skipped_steps] == ["write_fixes"], "to the mock all is a feature"
