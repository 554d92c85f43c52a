"""What pipelines cost beyond their models: `python -m bench.pipelines`. Mock models, which answer at once."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from bench.figures import Figure, as_object, table
from orchestrator.catalog import load_catalog
from orchestrator.client.facade import OrchClient
from orchestrator.client.pipeline_spec import build_run
from orchestrator.contracts.pipeline import PipelineView
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.settings import Settings
from orchestrator.testing.installation import Installation
from orchestrator.testing.vendor_script import Reply
from orchestrator.testing.vendor_server import FakeVendorServer

STEP_AIM_MS = 20.0
PARALLEL_AIM_MS = 300.0
CHAIN = 50
LONG_CHAIN = 200
ELEMENTS = 500
PARALLEL = 4
LATENCY_MS = 200.0
MODEL = "gpt-5-mini"


def chain(steps: int) -> PipelineSpec:
    """Steps, each of which takes what the one before gave."""
    texts = ["go", *(f"{{s{number - 1}_output}}" for number in range(1, steps))]
    return _pipeline([_llm(f"s{number}", text) for number, text in enumerate(texts)])


def mapped() -> PipelineSpec:
    """One step for each of many elements."""
    inner = [_llm("say", "{item}")]
    each = {"name": "each", "step_type": "for_each", "items": "words", "concurrency": 16, "sub_steps": inner}
    return _pipeline([each])


def group() -> PipelineSpec:
    """Steps side by side."""
    inner = [_llm(f"s{number}", "go") for number in range(PARALLEL)]
    return _pipeline([{"name": "g", "step_type": "parallel_group", "sub_steps": inner}])


def _llm(name: str, prompt: str) -> dict[str, Any]:
    return {"name": name, "step_type": "llm", "model": MODEL, "prompt": prompt}


def _pipeline(steps: list[dict[str, Any]]) -> PipelineSpec:
    return PipelineSpec.model_validate({"name": "bench", "steps": steps})


async def run_s(
    client: OrchClient, settings: Settings, spec: PipelineSpec, inputs: dict[str, JsonValue], *, mock: bool
) -> tuple[float, PipelineView]:
    """Seconds from the start of a run to its result, and the result, which must be a success."""
    given = build_run(spec, inputs, models=load_catalog(settings), embedded=True, mock=mock)
    began_s = time.monotonic()
    run_id = await client.pipelines.start(given)
    view = await client.pipelines.wait_closed(run_id, 600.0)
    assert view is not None and view.status is ProjectStatus.SUCCESS, view
    return time.monotonic() - began_s, view


async def figures(settings: Settings, vendors: FakeVendorServer, repeats: int) -> list[Figure]:
    """All figures, one after the other."""
    client = await OrchClient.connect(settings, lambda line: None)
    words: dict[str, JsonValue] = {"words": [f"w{number}" for number in range(ELEMENTS)]}
    vendors.script = lambda request: Reply(text="done", latency_ms=LATENCY_MS)

    async def values(spec: PipelineSpec, per: int, inputs: dict[str, JsonValue], *, mock: bool) -> tuple[float, ...]:
        runs = [await run_s(client, settings, spec, inputs, mock=mock) for _ in range(repeats)]
        return tuple(seconds * 1000 / per for seconds, _ in runs)

    await run_s(client, settings, chain(2), {}, mock=True)  # everything is loaded
    return [
        Figure(f"step of a chain of {CHAIN}", "ms", await values(chain(CHAIN), CHAIN, {}, mock=True), STEP_AIM_MS),
        Figure(
            f"step of a chain of {LONG_CHAIN}", "ms", await values(chain(LONG_CHAIN), LONG_CHAIN, {}, mock=True), None
        ),
        Figure(f"for_each over {ELEMENTS}", "ms", await values(mapped(), 1, words, mock=True), None),
        Figure(f"element of {ELEMENTS}", "ms", await values(mapped(), ELEMENTS, words, mock=True), STEP_AIM_MS),
        Figure(
            f"{PARALLEL} parallel steps of {LATENCY_MS:.0f} ms",
            "ms",
            await values(group(), 1, {}, mock=False),
            PARALLEL_AIM_MS,
        ),
    ]


def main() -> int:
    """Prints the table. Exit code 0 whether or not aims are reached: figures of a busy machine say little."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipelines", description="Benchmarks of pipelines.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--repeats", type=int, default=3, help="runs per figure, of which the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as folder, FakeVendorServer() as vendors:
        installation = Installation(Path(folder), vendors.environment())
        try:
            measured = asyncio.run(figures(installation.settings, vendors, options.repeats))
        finally:
            installation.close()
    print(table(measured))
    if options.json:
        options.json.write_text(json.dumps(as_object(measured), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
