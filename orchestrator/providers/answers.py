"""What can be done with a complete answer."""

from orchestrator.domain.errors import FailureKind
from orchestrator.providers.base import FinishReason, ModelAnswer

_UNUSABLE = {
    FinishReason.REFUSAL: (FailureKind.REFUSED, "the model declined"),
    FinishReason.FILTER: (FailureKind.FILTERED, "the vendor's content filter ended the answer"),
    FinishReason.LENGTH: (FailureKind.TRUNCATED, "the answer was cut off by the output limit"),
}


def unusable(answer: ModelAnswer, *, truncated: bool = True) -> tuple[FailureKind, str] | None:
    """Why an answer cannot be used whatever it was for, None if it can; `truncated`: being cut off is a reason."""
    if answer.finish in _UNUSABLE and (truncated or answer.finish is not FinishReason.LENGTH):
        return _UNUSABLE[answer.finish]
    if not answer.text.strip():
        return FailureKind.EMPTY, "the answer is empty"
    return None
