"""What the vendors of a test answer, and what they were asked: a plan that goes well unless the test says otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.domain.answers import (
    ArchitectureAnswer,
    Critique,
    CritiqueIssue,
    Evaluation,
    PlanAnswer,
    PlannedTask,
    SuggestionsAnswer,
    Verdict,
)
from orchestrator.domain.errors import FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.domain.tasks import Stage, TaskType
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, ProviderError
from orchestrator.testing.project_script import all_met, fences
from orchestrator.testing.scripted import Reply, ScriptedProvider, task_of

DEADLINE_S = 30.0
VENDORS = ("alpha", "beta", "gamma")

Made = Callable[[ModelRequest], Reply | Awaitable[Reply]]

REVISE = Critique(score=0.5, verdict=Verdict.REVISE, issues=[CritiqueIssue(message="Say it better.")])
DOWN = ProviderError.of(FailureKind.AUTH, Fate.UNBILLED, "the key is not accepted")
BUSY = ProviderError.of(FailureKind.SERVER, Fate.UNBILLED, "overloaded")
LOST = ProviderError.of(FailureKind.LOST, Fate.UNCERTAIN, "the reply was lost")
REFUSED = ProviderError.of(FailureKind.REFUSED, Fate.UNBILLED, "declined")


def text_task(name: str, *dependencies: str, files: Sequence[str] = (), **more: object) -> PlannedTask:
    """A small task whose text files no tool has anything to say about."""
    given = {
        "id": name,
        "title": f"Write {name}",
        "type": TaskType.SUMMARIZATION,
        "prompt": f"Write {name}.",
        "dependencies": list(dependencies),
        "files": list(files) or [f"{name}.txt"],
        **more,
    }
    return PlannedTask.model_validate(given)


def json_task(name: str, *dependencies: str) -> PlannedTask:
    """A task with one JSON file, which needs no sandbox to be checked."""
    return text_task(name, *dependencies, files=[f"{name}.json"], validators=["json_schema"])


def cut_off(text: str) -> ModelAnswer:
    """An answer that the output limit ended."""
    return ModelAnswer(text=text, usage=Usage(input_tokens=100, output_tokens=100), finish=FinishReason.LENGTH)


@dataclass(frozen=True)
class Asked:
    """A request as the vendor saw it."""

    vendor: str
    stage: Stage
    task: str
    request: ModelRequest


@dataclass
class Match:
    """Requests that something applies to: empty fields take all; `times` counts down, None never ends."""

    stage: Stage
    task: str = ""
    vendor: str = ""
    times: int | None = None

    def takes(self, asked: Asked) -> bool:
        """True, and one time fewer, if it applies."""
        if self.times == 0 or asked.stage is not self.stage:
            return False
        if (self.task and self.task != asked.task) or (self.vendor and self.vendor != asked.vendor):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Gate:
    """Holds requests back until it is opened."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> None:
        """Let everything through from now on."""
        self.opened.set()


class Play:
    """All vendors of one run."""

    def __init__(self, *tasks: PlannedTask, score: float = 0.95) -> None:
        self.tasks = tasks
        self.score = score
        self.contents: dict[str, str] = {}  # what is written to a path, where it matters
        self.asked: list[Asked] = []
        self.answered: list[Asked] = []
        self._rules: list[tuple[Match, Reply | Made]] = []
        self._gates: list[tuple[Match, Gate]] = []
        self._changed = asyncio.Condition()

    def on(
        self, stage: Stage, task: str = "", *, reply: Reply | Made, vendor: str = "", times: int | None = None
    ) -> None:
        """Answer such requests with `reply`, or with what it returns. Rules made first go first."""
        self._rules.append((Match(stage, task, vendor, times), reply))

    def down(self, *vendors: str, failure: ProviderError = DOWN) -> None:
        """These vendors fail every request."""
        for vendor in vendors:
            for stage in Stage:
                self._rules.insert(0, (Match(stage, vendor=vendor), failure))

    def hold(self, stage: Stage, task: str = "", times: int | None = None) -> Gate:
        """A gate before the answers to such requests."""
        gate = Gate()
        self._gates.append((Match(stage, task, times=times), gate))
        return gate

    def open_all(self) -> None:
        """Open every gate."""
        for _, gate in self._gates:
            gate.open()

    def providers(self, vendors: Sequence[str]) -> dict[str, ScriptedProvider]:
        """The vendors, for a worker."""
        return {vendor: ScriptedProvider(vendor, self._replies(vendor)) for vendor in vendors}

    def count(self, stage: Stage | None = None, task: str = "", vendor: str = "") -> int:
        """Number of requests so far."""
        return len(self.requests(stage, task, vendor))

    def requests(self, stage: Stage | None = None, task: str = "", vendor: str = "") -> list[Asked]:
        """Requests so far, in order."""
        return [
            asked
            for asked in self.asked
            if (stage is None or asked.stage is stage)
            and (not task or asked.task == task)
            and (not vendor or asked.vendor == vendor)
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition about the requests holds. Raises TimeoutError."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(condition), DEADLINE_S)

    def _replies(self, vendor: str) -> Callable[[ModelRequest], Awaitable[Reply]]:
        async def reply(request: ModelRequest) -> Reply:
            assert isinstance(request.stage, Stage)
            asked = Asked(vendor=vendor, stage=request.stage, task=task_of(request), request=request)
            await self._note(self.asked, asked)
            for match, gate in self._gates:
                if match.takes(asked):
                    gate.arrived.set()
                    await gate.opened.wait()
            found = next((given for match, given in self._rules if match.takes(asked)), self._usual)
            made = found(request) if callable(found) else found
            answer = await made if isinstance(made, Awaitable) else made
            await self._note(self.answered, asked)
            return answer

        return reply

    async def _note(self, log: list[Asked], asked: Asked) -> None:
        async with self._changed:
            log.append(asked)
            self._changed.notify_all()

    def _usual(self, request: ModelRequest) -> Reply:
        stage = request.stage
        assert isinstance(stage, Stage)
        match stage:
            case Stage.ENHANCE:
                return SuggestionsAnswer(suggestions=[])
            case Stage.ADVISE:
                return ArchitectureAnswer(app_type="library")
            case Stage.PLAN:
                return PlanAnswer(tasks=list(self.tasks))
            case Stage.CRITIQUE:
                return Critique(score=self.score, verdict=Verdict.APPROVE)
            case Stage.JUDGE:
                return all_met(request.prompt)
            case Stage.EVALUATE:
                return Evaluation(score=self.score)
            case Stage.GENERATE | Stage.REVISE | Stage.REPAIR:
                return self.files(task_of(request))

    def files(self, task_id: str, **contents: str) -> str:
        """The task's files as a model answers with them."""
        task = next(task for task in self.tasks if task.id == task_id)
        return fences({path: self.contents.get(path) or _content(path) for path in task.files})


def _content(path: str) -> str:
    return '{"fine": true}\n' if path.endswith(".json") else f"The text of {path}.\n"
