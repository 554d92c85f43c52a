"""Pipelines as YAML: what is written reads back as the same pipeline."""

from typing import Any

import yaml
from pydantic import BaseModel

from orchestrator.domain.pipeline import SHORT_RETRY_DELAY_S, PipelineSpec, RetryPolicy, Step

_FIRST = ("name", "step_type", "output_key", "timeout_seconds", "retry", "max_retries", "model", "prompt")
_LAST = ("input_mapping", "condition", "depends_on", "sub_steps")
_SINGLE = ("depends_on", "fallback")  # one name is written without brackets


def as_dict(spec: PipelineSpec) -> dict[str, Any]:
    """The pipeline as a file has it; what has its default value is left out."""
    fields = _changed(spec, ("name", "version"))
    if "inputs" in fields:
        fields["inputs"] = {name: _changed(each, ()) for name, each in spec.inputs.items()}
    fields["steps"] = [step_as_dict(step) for step in spec.steps]
    return fields


def step_as_dict(step: Step) -> dict[str, Any]:
    """A step as a file has it, in the documented order."""
    fields = _changed(step, ("name", "step_type"))
    if "retry" in fields:
        policy = RetryPolicy.model_validate(fields["retry"])
        if policy == RetryPolicy(max_retries=policy.max_retries, base_delay_s=SHORT_RETRY_DELAY_S):
            fields["max_retries"] = policy.max_retries
            del fields["retry"]
    for name in _SINGLE:
        if len(fields.get(name, ())) == 1:
            fields[name] = fields[name][0]
    if step.children:
        fields["sub_steps"] = [step_as_dict(each) for each in step.children]
    order = (*_FIRST, *(name for name in fields if name not in (*_FIRST, *_LAST)), *_LAST)
    return {name: fields[name] for name in order if name in fields}


def as_yaml(spec: PipelineSpec) -> str:
    """The pipeline as YAML."""
    return yaml.dump(as_dict(spec), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _changed(value: BaseModel, always: tuple[str, ...]) -> dict[str, Any]:
    """The fields that do not have their default value."""
    fields = type(value).model_fields
    dumped = value.model_dump(mode="json")
    return {
        name: each
        for name, each in dumped.items()
        if name in always or getattr(value, name) != fields[name].get_default(call_default_factory=True)
    }


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    block = "\n" in value and not any(line != line.rstrip() for line in value.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if block else None)


_Dumper.add_representer(str, _text)
