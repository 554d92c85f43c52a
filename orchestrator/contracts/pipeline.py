"""The run of a pipeline: its frozen input, its memory, its result, and the payloads of its activities."""

from pydantic import JsonValue

from orchestrator.contracts.project import Timeouts
from orchestrator.contracts.state import RunMemory
from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import NO_CAP_MICRO
from orchestrator.domain.outcome import ProjectStatus
from orchestrator.domain.pipeline import LlmStep
from orchestrator.domain.pipeline_attempts import Attempts
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.pipeline_state import Bound, PipelineState
from orchestrator.domain.policy import Policy
from orchestrator.domain.refs import BlobRef

MOCK_VENDOR = "mock"  # answers without a model, see `--mock`
PREVIEW_CHARS = 200
_PROMPT_FRAME_BYTES = 100  # of a step's prompt: line ends, the words around the error of an earlier answer


class PipelineRunSpec(Frozen):
    """One run, resolved: nothing that it names changes while it runs. Money is micro-USD."""

    run_id: str
    plan: PipelinePlan
    inputs: dict[str, JsonValue] = {}  # all of them, defaults included; empty once they are in the store
    max_micro: int = NO_CAP_MICRO
    models: tuple[ModelSpec, ...] = ()
    choices: dict[str, tuple[str, ...]] = {}  # by llm step: ids of its model and its fallbacks, in order
    unpriced: tuple[str, ...] = ()  # models whose price is not known: their calls are booked as nothing
    policies: tuple[Policy, ...] = ()
    timeouts: Timeouts = Timeouts()
    continue_after_events: int = 4000
    search_attributes: bool = True  # the namespace has ours registered
    vendor_queues: bool = False  # in a cluster each vendor has a task queue
    team: str = ""  # shares the workers fairly with other teams

    @property
    def capped(self) -> bool:
        """Whether there is a budget."""
        return self.max_micro < NO_CAP_MICRO


class Prepared(Frozen):
    """What of the input is in the store: the JSON of the PipelineSpec, and of each input; what this worker can ask."""

    pipeline: BlobRef
    inputs: dict[str, BlobRef]
    vendors: tuple[str, ...]


class StepFacts(Frozen):
    """What a step has cost, all its instances together; model and previews are those of its latest call.

    Money is micro-USD. `latency_ms` is the time of its requests and computations.
    """

    model: str = ""
    attempts: int = 0
    latency_ms: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    prompt_preview: str = ""
    output_preview: str = ""
    prompt: BlobRef | None = None
    notes: tuple[str, ...] = ()


class PipelineMemory(RunMemory):
    """What a run remembers: carried by continue-as-new and kept in the store."""

    phase: ProjectStatus = ProjectStatus.RUNNING
    generation: int = 0  # rises with each resume, so that its calls have keys of their own
    prepared: Prepared | None = None
    progress: PipelineState = PipelineState()
    attempts: dict[str, Attempts] = {}  # of llm steps that are between two requests, by instance
    facts: dict[str, StepFacts] = {}  # by step
    exhausted: bool = False  # the budget refused what a step needs
    timed_out: bool = False  # the step that failed ran out of time


class PipelineInput(Frozen):
    """Argument of the workflow: a fresh run has no state. `resumed`: the state is that of a run that ended.

    `by`: who resumed it, where that is known.
    """

    spec: PipelineRunSpec
    state: PipelineMemory | None = None
    resumed: bool = False
    by: str = ""


class StepView(Frozen):
    """One step as the user sees it. Of a for_each's steps `done` of `total` elements are finished."""

    name: str
    kind: str
    depth: int = 0
    output_key: str
    status: str
    doing: str = ""  # what goes on right now
    model: str = ""
    attempts: int = 0
    latency_ms: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    spent_micro: int = 0
    uncertain_micro: int = 0
    started_s: float = 0.0
    ended_s: float = 0.0
    done: int = 0
    total: int = 0
    prompt_preview: str = ""
    output_preview: str = ""
    output: BlobRef | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


class PipelineView(Frozen):
    """State of a run, and its result. Money is micro-USD; `max_micro` is None where there is no budget."""

    run_id: str
    workflow_id: str
    pipeline: str
    version: str
    description: str = ""
    status: ProjectStatus
    spent_micro: int = 0
    uncertain_micro: int = 0
    reserved_micro: int = 0
    max_micro: int | None = None
    calls: int = 0
    started_s: float = 0.0
    elapsed_s: float = 0.0
    simulated: bool = False
    reason: str = ""
    notes: tuple[str, ...] = ()
    steps_done: int = 0
    steps_total: int = 0
    steps: tuple[StepView, ...] = ()
    output: BlobRef | None = None  # JSON of the pipeline's output
    output_preview: str = ""
    outputs: dict[str, BlobRef] = {}  # by output key, of the steps at the top
    events: BlobRef | None = None  # the whole event log as JSONL, once the run has ended
    records: BlobRef | None = None  # all calls as JSONL of CallRecord, once the run has ended


class PrepareRun(Frozen):
    """A pipeline and its inputs, to be put into the store by the worker."""

    plan: PipelinePlan
    inputs: dict[str, JsonValue]
    queues: dict[str, str] = {}  # by vendor, where each has its own: then vendors count whose queue is polled


class StepInput(Frozen):
    """Something to compute for a step. `pipeline` is the JSON of a PipelineSpec."""

    pipeline: BlobRef
    step: str
    values: dict[str, Bound] = {}


class AssembleInput(Frozen):
    """Values that become one: the elements of a list, or the entries of an object. None is null."""

    parts: dict[str, BlobRef | None]
    as_list: bool = False


class StepOutcome(Frozen):
    """What came of a computation. `error`: one line of why it failed; `timed_out`: because it took too long."""

    holds: bool = False  # of a condition
    value: BlobRef | None = None  # JSON
    count: int = 0  # of a list's elements
    preview: str = ""
    latency_ms: int = 0
    error: str = ""
    timed_out: bool = False


class PublishRun(Frozen):
    """What an ended run leaves behind. `input_json` is the PipelineInput with which it could go on."""

    namespace: str
    run_id: str
    input_json: str
    calls: tuple[BlobRef, ...]  # segments: JSON lists of CallRecord
    events: tuple[BlobRef, ...]  # segments: JSON lists of Event


class PublishedRun(Frozen):
    """Logs as JSONL."""

    events: BlobRef
    records: BlobRef


def step_prompt_bound(step: LlmStep, sizes: dict[str, int], previous_error: str) -> int:
    """How large a step's prompt becomes, from the sizes of its variables in bytes.

    An estimate: a template with loops can say a variable more often than it names it. The activity measures.
    """
    texts = (step.prompt, step.system)
    uses = sum(max(1, sum(text.count(name) for text in texts)) * size for name, size in sizes.items())
    schema = len(str(step.response_schema)) * 2 if step.response_schema else 0
    return (
        sum(len(text.encode()) for text in texts) + uses + schema + len(previous_error.encode()) + _PROMPT_FRAME_BYTES
    )
