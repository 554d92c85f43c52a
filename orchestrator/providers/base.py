"""What every vendor implements: one request in, one complete answer or one classified failure out."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.domain.errors import CallFailure, FailureKind, Fate, OrchError
from orchestrator.domain.money import Usage
from orchestrator.domain.pipeline_attempts import PipelineStage
from orchestrator.domain.tasks import Stage
from orchestrator.domain.text import one_line


class FinishReason(StrEnum):
    """Why a complete answer ended."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"
    FILTER = "filter"


class Timeouts(BaseModel):
    """Limits of one request in seconds."""

    model_config = ConfigDict(frozen=True)

    connect_s: float = 10.0
    first_byte_s: float = 120.0
    between_chunks_s: float = 30.0


class ModelRequest(BaseModel):
    """One request to one model.

    An empty `system` is not sent. The text ends before the first of `stop`, whether or not the vendor has a field for
    it; a temperature above the vendor's highest is lowered to it, and left out for models that refuse it.
    `sections` are the named parts from which `prompt` was rendered; vendors on the wire ignore them and
    `stage`, simulated and scripted models answer by them.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    system: str
    prompt: str
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None  # structured output in the vendor's native mode
    stage: Stage | PipelineStage = Stage.GENERATE
    sections: dict[str, str] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()


class ModelAnswer(BaseModel):
    """A complete answer. `usage` is None where the vendor reported none."""

    model_config = ConfigDict(frozen=True)

    text: str
    usage: Usage | None
    finish: FinishReason


class ProviderError(OrchError):
    """A request that gave no complete answer; `failure` says why and what it may have cost.

    Providers written by users raise it, or a class of `orchestrator.providers.errors`, with a text of their own.
    """

    text_kind: ClassVar[FailureKind] = FailureKind.SERVER
    text_fate: ClassVar[Fate] = Fate.UNCERTAIN

    usage: Usage | None = None  # of an answer that was complete and billed, but cannot be used

    def __init__(self, failure: CallFailure | str) -> None:
        if isinstance(failure, str):
            failure = CallFailure(kind=self.text_kind, fate=self.text_fate, message=one_line(failure))
        super().__init__(failure.message)
        self.failure = failure

    @classmethod
    def of(cls, kind: FailureKind, fate: Fate, message: str) -> "ProviderError":
        """A failure without status or retry hint."""
        return cls(CallFailure(kind=kind, fate=fate, message=message[:200]))


class Provider(Protocol):
    """One vendor. Instances are shared by all calls of a process and are safe for concurrent use."""

    vendor: str

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """Stream one answer; `on_text` sees each piece of text. Raises ProviderError, nothing else.

        Cancelling the awaiting task closes the connection.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
