"""Pipelines as they are built and read in Python."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import JsonValue

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.pipeline import InputSpec, PipelineSpec
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.pipelines.loader import parse_pipeline
from orchestrator.pipelines.registered import TransformFunction
from orchestrator.pipelines.steps import PipelineStep, step_of
from orchestrator.pipelines.validation import plan_of, problems
from orchestrator.pipelines.writer import as_dict, as_yaml


class Pipeline:
    """Steps with a name. `budget` is the most that a run may cost in USD; `inputs` are its declared inputs."""

    def __init__(
        self,
        name: str,
        steps: Sequence[PipelineStep] = (),
        description: str = "",
        version: str = "1.0",
        metadata: Mapping[str, JsonValue] | None = None,
        *,
        inputs: Mapping[str, InputSpec | Mapping[str, Any]] | None = None,
        budget: float | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self.version = version
        self.metadata = dict(metadata or {})
        self.inputs = {key: InputSpec.model_validate(each) for key, each in (inputs or {}).items()}
        self.budget = budget
        self.steps = list(steps)

    @property
    def spec(self) -> PipelineSpec:
        """The pipeline as a value. Raises ValueError where a field cannot be."""
        return PipelineSpec(
            name=self.name,
            version=self.version,
            description=self.description,
            metadata=self.metadata,
            inputs=self.inputs,
            budget=self.budget,
            steps=tuple(step.spec for step in self.steps),
        )

    @property
    def functions(self) -> dict[str, TransformFunction]:
        """The Python functions of its steps."""
        return {name: each for step in self.steps for name, each in step.functions().items()}

    def add_step(self, step: PipelineStep) -> "Pipeline":
        """Add a step at the end. Returns the pipeline."""
        self.steps.append(step)
        return self

    def get_step(self, name: str) -> PipelineStep | None:
        """The step of this name, also within others; None where there is none."""
        waiting = list(self.steps)
        while waiting:
            step = waiting.pop(0)
            if step.name == name:
                return step
            waiting.extend(step.sub_steps)
        return None

    def __len__(self) -> int:
        return len(self.steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and (self.spec, self.functions) == (other.spec, other.functions)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"Pipeline(name={self.name!r}, steps={[step.name for step in self.steps]})"

    def validate(self, models: Iterable[ModelSpec] | None = None) -> list[str]:
        """Everything that keeps it from running. Names of models are checked where `models` are given."""
        return [problem.message for problem in problems(self.spec, models, self.functions)]

    def plan(self, models: Iterable[ModelSpec] | None = None) -> PipelinePlan:
        """What is run. Raises UserInputError with everything that `validate` lists."""
        return plan_of(self.spec, self.functions, models)

    def to_dict(self) -> dict[str, Any]:
        """The pipeline as a file has it."""
        return as_dict(self.spec)

    def to_yaml(self) -> str:
        """The pipeline as YAML, which reads back as the same one. Raises ValueError if it holds a Python function."""
        if self.functions:
            names = ", ".join(sorted(name.removeprefix("python:") for name in self.functions))
            raise ValueError(f"Python functions cannot be written ({names}): register them as entry points")
        return as_yaml(self.spec)

    @classmethod
    def of(cls, spec: PipelineSpec) -> "Pipeline":
        """The pipeline of a value."""
        return cls(
            spec.name,
            [step_of(step) for step in spec.steps],
            spec.description,
            spec.version,
            spec.metadata,
            inputs=spec.inputs,
            budget=spec.budget,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Pipeline":
        """The pipeline that a file with this content would be. Raises PipelineFileError, a ValueError."""
        return cls.from_yaml(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True))

    @classmethod
    def from_yaml(cls, text: str) -> "Pipeline":
        """The pipeline in a text; `validate` tells whether it can run. Raises PipelineFileError, a ValueError."""
        return cls.of(parse_pipeline(text, check=False))

    @classmethod
    def from_yaml_file(cls, path: str | Path) -> "Pipeline":
        """The same of a file. Raises FileNotFoundError where there is none."""
        return cls.of(parse_pipeline(Path(path).read_bytes(), str(path), check=False))
