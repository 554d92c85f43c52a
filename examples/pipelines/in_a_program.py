"""A pipeline in a program of its own: parallel steps, a fallback, a retry, and the trace. Needs no key.

python examples/pipelines/in_a_program.py
"""

import asyncio

from orchestrator.pipelines import (
    AsyncPipelineExecutor,
    Pipeline,
    PipelineObserver,
    create_llm_step,
    create_parallel_group,
    create_transform_step,
)

QUESTIONS = ("What is it?", "Who uses it?", "What does it cost?")


class Vendors:
    """Stands for real ones: one is broken, one is busy at first."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, model: str, prompt: str, context: dict[str, object]) -> str:
        """The answer of `model`."""
        self.calls += 1
        await asyncio.sleep(0.1)
        if model == "broken" or (model == "busy" and self.calls < 4):
            raise ConnectionError(f"{model} does not answer")
        return f"{model} on: {prompt}"


def built() -> Pipeline:
    """Three questions side by side, and a summary of the answers."""
    steps = [
        create_llm_step(f"question_{number}", model, f"{text} {{topic}}", fallback="reserve", max_retries=1)
        for number, (text, model) in enumerate(zip(QUESTIONS, ("good", "busy", "broken"), strict=True))
    ]
    pipeline = Pipeline("three_questions", [create_parallel_group("questions", steps)])
    pipeline.add_step(create_transform_step("lines", expression="join(values(questions_output), '\\n')"))
    return pipeline.add_step(create_llm_step("summarize", "good", "Summarize:\n{lines_output}"))


async def main() -> None:
    """Run it and show what happened."""
    pipeline = built()
    result = await AsyncPipelineExecutor(Vendors()).execute(pipeline, {"topic": "Temporal"})
    print(PipelineObserver().build_trace_from_result(pipeline, result).to_markdown())
    print(result.outputs["lines_output"])


if __name__ == "__main__":
    asyncio.run(main())
