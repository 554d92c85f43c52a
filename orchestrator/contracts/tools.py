"""Payloads of the activities that run tools or touch the store."""

from orchestrator.domain.apps import Architecture, Dependencies, DependencyPolicy, UserCommand
from orchestrator.domain.base import Frozen
from orchestrator.domain.criteria import CriterionResult
from orchestrator.domain.findings import CheckStatus
from orchestrator.domain.money import Usage
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.tasks import TaskSpec


class PrepareInput(Frozen):
    """Texts of the project, to be put into the store by the worker."""

    project: str
    criteria: str
    queues: dict[str, str] = {}  # by vendor, where each has its own: then vendors count whose queue is polled


class PrepareResult(Frozen):
    """References to the texts, and what workers can do."""

    project: BlobRef
    criteria: BlobRef
    vendors: tuple[str, ...]  # with a key or reachable, where the workers are; simulated ones included
    sandbox: str  # "bubblewrap", "unsafe" or "" where generated code cannot be run


class ApplyInput(Frozen):
    """Suggestions to put into the texts of a project, by their ids. `suggestions`: JSON list of Suggestion."""

    project: BlobRef
    criteria: BlobRef
    suggestions: BlobRef
    chosen: tuple[str, ...]


class ApplyResult(Frozen):
    """The texts with them."""

    project: BlobRef
    criteria: BlobRef


class ScaffoldInput(Frozen):
    """What the files that a project starts from depend on. `planned`: all paths that tasks own."""

    architecture: Architecture
    name: str  # of the software
    packages: Dependencies
    planned: tuple[str, ...]


class ScaffoldResult(Frozen):
    """The files that no task of this plan writes. `listing`: their paths and the packages, as text for prompts."""

    draft: DraftRef
    listing: BlobRef
    planned: tuple[str, ...]


class CheckInput(Frozen):
    """Files to check together. Where two drafts hold one path, the later one wins.

    `own` limits findings of static checks to these paths (all paths if empty): a task answers for its own files.
    """

    drafts: tuple[DraftRef, ...]
    own: tuple[str, ...] = ()
    validators: tuple[str, ...]
    policy: DependencyPolicy = DependencyPolicy()
    architecture: Architecture | None = None  # says how the software is started
    commands: tuple[UserCommand, ...] = ()  # what the validator `commands` runs
    criteria: BlobRef | None = None  # to be told one by one


class ValidatorVerdict(Frozen):
    """One validator's word, without its findings."""

    validator: str
    status: CheckStatus
    findings: int = 0
    reason: str = ""  # at most 200 characters
    limit: str = ""


class CheckOutcome(Frozen):
    """Verdicts, and the findings in the store. `paths` are the files that findings name."""

    verdicts: tuple[ValidatorVerdict, ...]
    findings: BlobRef | None = None  # JSON list of Finding
    criteria: tuple[CriterionResult, ...] = ()  # as far as these verdicts decide them
    paths: tuple[str, ...] = ()
    summary: str = ""  # at most 200 characters
    unsafe: bool = False  # code ran without a sandbox because the user asked for it

    @property
    def passed(self) -> bool:
        """No validator rejected the files."""
        return all(verdict.status is not CheckStatus.FAILED for verdict in self.verdicts)

    @property
    def unchecked(self) -> str:
        """Which validators could not run and why, at most 200 characters; empty if all did."""
        return "; ".join(
            f"{verdict.validator} could not run: {verdict.reason}"
            for verdict in self.verdicts
            if verdict.status is CheckStatus.UNCHECKED
        )[:200]


class InstallInput(Frozen):
    """Files whose dependencies are to be installed. Where two drafts hold one path, the later one wins."""

    drafts: tuple[DraftRef, ...]
    policy: DependencyPolicy = DependencyPolicy()


class InstallOutcome(Frozen):
    """The word of the validator `dependencies`, and its findings in the store.

    `resolved` are requirements of imports that no manifest declares: installed, and to be published with the rest.
    """

    verdict: ValidatorVerdict
    findings: BlobRef | None = None  # JSON list of Finding
    paths: tuple[str, ...] = ()
    summary: str = ""  # at most 200 characters
    resolved: Dependencies = Dependencies()


class TextInput(Frozen):
    """A text to put into the store, such as a segment of the event log."""

    text: str


class StateInput(Frozen):
    """A snapshot of a run: spec and state for a resume, its ProjectView for whoever asks after it was terminated."""

    namespace: str
    project: str
    spec_json: str
    state_json: str
    view_json: str


class ReconcileInput(Frozen):
    """Calls that were booked as uncertain: the journal may know better by now."""

    calls: tuple[str, ...]  # texts of call keys


class ReconcileResult(Frozen):
    """Recorded usage of those calls that did finish."""

    finished: dict[str, Usage]


class CallRecord(Frozen):
    """One settled request, for the report: who was asked for what, what it cost, how it ended."""

    key: str
    task: str
    stage: str
    iteration: int
    role: str
    model: str
    outcome: str
    cost_micro: int
    uncertain_micro: int
    input_tokens: int
    output_tokens: int
    latency_ms: int
    ended_s: float = 0.0  # workflow time in seconds since the epoch
    score: float | None = None  # of a critique or an evaluation
    ranking: tuple[str, ...] = ()  # the first candidates, best first
    passed_over: tuple[str, ...] = ()  # those before the one that was asked, with reasons


class PublishInput(Frozen):
    """Everything that the manifest and the report are made of. `view_json` is a ProjectView."""

    namespace: str
    project: str
    view_json: str
    project_text: BlobRef | None
    criteria: BlobRef | None
    original_project: BlobRef | None = None  # as the user wrote it; may be what `project_text` is
    original_criteria: BlobRef | None = None
    plan: tuple[TaskSpec, ...]
    base: tuple[DraftRef, ...] = ()  # files that no task writes; those of tasks win
    drafts: dict[str, DraftRef]  # task id to its best version
    calls: tuple[BlobRef, ...]  # segments: JSON lists of CallRecord
    events: tuple[BlobRef, ...]  # segments: JSON lists of Event
    findings: BlobRef | None  # of the whole project


class PublishResult(Frozen):
    """The manifest: a JSON object {files: [FileRef]}, report and summary included; events and calls as JSONL.

    Where the store has lost files of the drafts, nothing is published and `lost` names them, by task.
    """

    manifest: BlobRef | None = None
    files: int = 0
    events: BlobRef | None = None
    records: BlobRef | None = None
    lost: dict[str, tuple[str, ...]] = {}
