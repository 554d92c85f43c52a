"""Payloads of the activities that call a model: one request of a stage, and what came of it."""

from enum import StrEnum

from orchestrator.domain.answers import CriterionAnswer
from orchestrator.domain.apps import AppType, Architecture, Dependencies
from orchestrator.domain.base import Frozen
from orchestrator.domain.enhancing import Suggested
from orchestrator.domain.errors import CallFailure
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import Usage
from orchestrator.domain.pipeline_attempts import PipelineStage
from orchestrator.domain.pipeline_state import Bound
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.tasks import Stage, TaskSpec, TaskType


class CallKey(Frozen):
    """Names one request for ever: no run id and no attempt, so it survives crash, reset and continue-as-new.

    `generation` rises with retry and resume, `role` tells judges apart, `ask` rises with each new request.
    """

    namespace: str
    project: str
    task: str  # task id, "project", or the instance of a step
    generation: int = 0
    stage: Stage | PipelineStage
    iteration: int = 1
    role: str = ""
    ask: int = 1

    def text(self) -> str:
        """`namespace/project/task/generation/stage/iteration/role/ask`."""
        return "/".join(
            (
                self.namespace,
                self.project,
                self.task,
                str(self.generation),
                self.stage.value,
                str(self.iteration),
                self.role or "-",
                str(self.ask),
            )
        )


class TaskBrief(Frozen):
    """What a prompt says about the task at hand."""

    id: str
    title: str
    type: TaskType
    files: tuple[str, ...]
    prompt: BlobRef


class ContextDraft(Frozen):
    """A finished dependency whose files the model sees."""

    task: str
    title: str
    draft: DraftRef


class PromptParts(Frozen):
    """References to everything that goes into a prompt; which of them are set depends on the stage."""

    project: BlobRef
    criteria: BlobRef
    task: TaskBrief | None = None
    context: tuple[ContextDraft, ...] = ()
    draft: DraftRef | None = None
    findings: BlobRef | None = None  # JSON list of Finding
    critique: BlobRef | None = None  # JSON of Critique
    guidance: tuple[BlobRef, ...] = ()  # what operators want to be heeded
    attempts: tuple[str, ...] = ()  # one line per earlier attempt that fell short
    architecture: tuple[str, ...] = ()  # one line per decision
    questions: tuple[str, ...] = ()  # numbered criteria to be judged
    evidence: tuple[str, ...] = ()  # what the tools said, line by line
    app_type: AppType | None = None  # whose scaffold a plan builds upon
    existing: BlobRef | None = None  # what is there besides the files of tasks, as text
    previous_error: str = ""  # why the previous answer could not be used, at most 500 characters


class StepParts(Frozen):
    """What the prompt of a pipeline's step is made of. `pipeline`: JSON of a PipelineSpec; `step`: a name in it."""

    pipeline: BlobRef
    step: str
    values: tuple[tuple[str, Bound], ...]  # by name
    previous_error: str = ""  # why the previous answer could not be used, at most 500 characters


class CallRequest(Frozen):
    """One request. `max_prompt_bytes` is what was reserved: a larger prompt is sent back unsent.

    `timeout_s`: an answer that takes longer is given up.
    """

    key: CallKey
    model: ModelSpec
    parts: PromptParts | StepParts
    max_tokens: int
    max_prompt_bytes: int
    timeout_s: float | None = None


class CallKind(StrEnum):
    """How a request ended."""

    ANSWER = "answer"  # complete, usable by the stage
    FAILURE = "failure"  # classified; with usage where the vendor billed it
    UNCERTAIN = "uncertain"  # fate unknown: book the upper bound, ask again
    TOO_LARGE = "too_large"  # not sent: the prompt is larger than what was reserved


class CritiqueSummary(Frozen):
    """A critique without its texts: score between 0 and 1, whether it asks for a revision, number of issues."""

    score: float
    revise: bool
    issues: int


class CallResult(Frozen):
    """What came of a request. Exactly one of the stage fields is set when `kind` is ANSWER."""

    kind: CallKind
    model: str
    usage: Usage | None = None
    failure: CallFailure | None = None
    prompt_bytes: int = 0
    latency_ms: int = 0
    replayed: bool = False  # the outcome came from the journal, nothing was sent
    preview: str = ""  # at most 200 characters, terminal escapes removed
    notes: tuple[str, ...] = ()  # findings about the call itself, such as repaired JSON
    answer: BlobRef | None = None  # the raw text
    prompt: BlobRef | None = None  # of a pipeline's step
    prompt_preview: str = ""
    value: BlobRef | None = None  # JSON of what a pipeline's step gives
    suggestions: tuple[Suggested, ...] = ()
    suggestions_ref: BlobRef | None = None  # JSON list of Suggestion, with their texts
    architecture: Architecture | None = None
    plan: tuple[TaskSpec, ...] = ()
    packages: Dependencies = Dependencies()  # that the plan asks for
    draft: DraftRef | None = None
    critique: CritiqueSummary | None = None
    critique_ref: BlobRef | None = None  # JSON of Critique, with its texts
    score: float | None = None
    criteria: tuple[CriterionAnswer, ...] = ()
