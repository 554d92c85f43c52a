"""A vendor whose answers are scripted: for our tests, and for those of programs that embed the orchestrator."""

import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import BaseModel

from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.domain.pipeline_attempts import PipelineStage
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, ProviderError

Reply = str | BaseModel | ProviderError
"""A text, a complete ModelAnswer, another model that is answered as JSON (a PlanAnswer, a Critique), or a failure."""

ReplyKey = Stage | PipelineStage | tuple[Stage | PipelineStage, str]
"""A stage, or a stage and the id of a task or the name of a step."""

ReplyTable = Mapping[ReplyKey, Reply | Sequence[Reply]]
"""Replies by stage and task. Of several replies each request takes the next, the last one stays."""

ReplyFunction = Callable[[ModelRequest], Reply | Awaitable[Reply]]
"""Decides the reply, may wait for something first."""


class ScriptedProvider:
    """A Provider that answers from a table or a function, and keeps `requests` in the order in which they came.

    Of a table, the entry of stage and task is taken before that of the stage. A request without an entry fails as
    BAD_REQUEST. Usage is one token per character unless a ModelAnswer says otherwise.
    """

    def __init__(self, vendor: str, replies: ReplyTable | ReplyFunction) -> None:
        self.vendor = vendor
        self.requests: list[ModelRequest] = []
        self.closed = False
        self._replies = replies
        self._taken: Counter[ReplyKey] = Counter()

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """The scripted reply, passed to `on_text` in one piece."""
        self.requests.append(request)
        if callable(self._replies):
            outcome = self._replies(request)
            reply = await outcome if inspect.isawaitable(outcome) else outcome
        else:
            reply = self._next(self._replies, request)
        if isinstance(reply, ProviderError):
            raise reply
        answer = _answer(reply, request)
        on_text(answer.text)
        return answer

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def _next(self, table: ReplyTable, request: ModelRequest) -> Reply:
        task = task_of(request)
        keys: tuple[ReplyKey, ...] = ((request.stage, task), request.stage)
        key = next((candidate for candidate in keys if candidate in table), None)
        if key is None:
            message = f"no reply is scripted for {request.stage.value} of task {task or '-'}"
            return ProviderError.of(FailureKind.BAD_REQUEST, Fate.UNBILLED, message)
        entry = table[key]
        if isinstance(entry, str | BaseModel | ProviderError):
            return entry
        index = min(self._taken[key], len(entry) - 1)
        self._taken[key] += 1
        return entry[index]


def task_of(request: ModelRequest) -> str:
    """The id of the task, or the name of the step, that the request is about, empty if it is about none."""
    if "step" in request.sections:
        return request.sections["step"]
    section = request.sections.get("task")
    return str(json.loads(section).get("id", "")) if section else ""


def _answer(reply: str | BaseModel, request: ModelRequest) -> ModelAnswer:
    if isinstance(reply, ModelAnswer):
        return reply
    text = reply if isinstance(reply, str) else reply.model_dump_json()
    usage = Usage(input_tokens=len(request.system) + len(request.prompt), output_tokens=len(text))
    return ModelAnswer(text=text, usage=usage, finish=FinishReason.STOP)
