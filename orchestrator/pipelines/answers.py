"""Answers of models as outputs of steps."""

from jsonschema import Draft202012Validator
from pydantic import JsonValue
from referencing import Registry

from orchestrator.domain.answer_text import AnswerError
from orchestrator.domain.pipeline import LlmStep
from orchestrator.domain.text import one_line
from orchestrator.pipelines.transforms import structured


def output_of(step: LlmStep, text: str) -> tuple[JsonValue, tuple[str, ...]]:
    """The output of an answer, its text or by `response_schema` its JSON, and what had to be mended.

    Raises StepError, one line for the model.
    """
    if step.response_schema is None:
        return text, ()
    validator = Draft202012Validator(step.response_schema, registry=Registry())

    def accept(value: JsonValue) -> JsonValue:
        errors = sorted(validator.iter_errors(value), key=lambda each: list(map(str, each.path)))
        if errors:
            shown = (f"{'.'.join(map(str, each.path)) or 'the answer'}: {each.message}" for each in errors[:3])
            raise AnswerError(one_line("; ".join(shown)))
        return value

    return structured(text, accept)
