"""What workflows know of activities: names, argument and result types, and no implementation.

Implementations derive from these classes, so the type checker holds both sides to one signature.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from orchestrator.contracts import names
from orchestrator.contracts.calls import CallRequest, CallResult
from orchestrator.contracts.tools import (
    ApplyInput,
    ApplyResult,
    CheckInput,
    CheckOutcome,
    InstallInput,
    InstallOutcome,
    PrepareInput,
    PrepareResult,
    PublishInput,
    PublishResult,
    ReconcileInput,
    ReconcileResult,
    ScaffoldInput,
    ScaffoldResult,
    StateInput,
    TextInput,
)
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.tasks import Stage

STAGE_ACTIVITIES: dict[Stage, str] = {
    Stage.ENHANCE: "project.enhance",
    Stage.ADVISE: "project.advise",
    Stage.PLAN: "project.plan",
    Stage.GENERATE: "task.generate",
    Stage.CRITIQUE: "task.critique",
    Stage.REVISE: "task.revise",
    Stage.EVALUATE: "task.evaluate",
    Stage.REPAIR: "project.repair",
    Stage.JUDGE: "project.judge",
}


class ModelInterface(ABC):
    """Activities that ask a model, one per stage so that histories read like the process.

    A vendor's failure is a result, not an exception: Temporal retries only attempts that were lost.
    """

    @activity.defn(name=STAGE_ACTIVITIES[Stage.ENHANCE])
    @abstractmethod
    async def enhance(self, request: CallRequest) -> CallResult:
        """Suggest a better project text."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.ADVISE])
    @abstractmethod
    async def advise(self, request: CallRequest) -> CallResult:
        """Choose an architecture."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.PLAN])
    @abstractmethod
    async def plan(self, request: CallRequest) -> CallResult:
        """Split the project into tasks."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.GENERATE])
    @abstractmethod
    async def generate(self, request: CallRequest) -> CallResult:
        """Write the files of a task."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.CRITIQUE])
    @abstractmethod
    async def critique(self, request: CallRequest) -> CallResult:
        """Review a draft."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.REVISE])
    @abstractmethod
    async def revise(self, request: CallRequest) -> CallResult:
        """Mend a draft by its findings and its critique."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.EVALUATE])
    @abstractmethod
    async def evaluate(self, request: CallRequest) -> CallResult:
        """Score a draft as one judge."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.REPAIR])
    @abstractmethod
    async def repair(self, request: CallRequest) -> CallResult:
        """Mend the integrated project by the findings of its checks."""

    @activity.defn(name=STAGE_ACTIVITIES[Stage.JUDGE])
    @abstractmethod
    async def judge(self, request: CallRequest) -> CallResult:
        """Say which of the criteria hold that no tool can decide."""


class ToolInterface(ABC):
    """Activities that run tools or touch the artifact store."""

    @activity.defn(name=names.ACTIVITY_PREPARE)
    @abstractmethod
    async def prepare(self, request: PrepareInput) -> PrepareResult:
        """Put the project's texts into the store, and say what this worker can do."""

    @activity.defn(name=names.ACTIVITY_APPLY_SUGGESTIONS)
    @abstractmethod
    async def apply_suggestions(self, request: ApplyInput) -> ApplyResult:
        """Put the chosen suggestions into the project's texts."""

    @activity.defn(name=names.ACTIVITY_SCAFFOLD)
    @abstractmethod
    async def scaffold(self, request: ScaffoldInput) -> ScaffoldResult:
        """Put the files that the software starts from into the store."""

    @activity.defn(name=names.ACTIVITY_VALIDATE)
    @abstractmethod
    async def validate(self, request: CheckInput) -> CheckOutcome:
        """Check one task's files."""

    @activity.defn(name=names.ACTIVITY_CHECK)
    @abstractmethod
    async def check(self, request: CheckInput) -> CheckOutcome:
        """Check the whole project."""

    @activity.defn(name=names.ACTIVITY_INSTALL)
    @abstractmethod
    async def install(self, request: InstallInput) -> InstallOutcome:
        """Install what the files need, for the checks to come."""

    @activity.defn(name=names.ACTIVITY_STORE_TEXT)
    @abstractmethod
    async def store_text(self, request: TextInput) -> BlobRef:
        """Put a text into the store."""

    @activity.defn(name=names.ACTIVITY_SAVE_STATE)
    @abstractmethod
    async def save_state(self, request: StateInput) -> None:
        """Keep a snapshot of the run's state under the project's name."""

    @activity.defn(name=names.ACTIVITY_RECONCILE)
    @abstractmethod
    async def reconcile(self, request: ReconcileInput) -> ReconcileResult:
        """Ask the journal about calls of unknown fate."""

    @activity.defn(name=names.ACTIVITY_PUBLISH)
    @abstractmethod
    async def publish(self, request: PublishInput) -> PublishResult:
        """Write the manifest, the summary and the report."""
