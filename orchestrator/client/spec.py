"""What the user asks for: checked, and resolved into the frozen input of a run."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from orchestrator.client.words import CONNECTING
from orchestrator.contracts.delivery import Delivery
from orchestrator.contracts.project import OnExhausted, ProjectSpec, Timeouts
from orchestrator.domain.advising import app_type_of
from orchestrator.domain.apps import AppType, ArchitectureWishes, DependencyPolicy, EnhanceMode, UserCommand
from orchestrator.domain.base import Frozen
from orchestrator.domain.limits import MAX_CONCURRENCY, MAX_TIME_LIMIT_S
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import MICRO_PER_USD
from orchestrator.domain.policy import Policy
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import TaskType
from orchestrator.settings.yaml_files import nearest

DEFAULT_BUDGET = "8.0"
DEFAULT_TIME_LIMIT = "90m"
DEFAULT_CONCURRENCY = "8"

MAX_TEXT_BYTES = 100_000
MAX_BUDGET_USD = 1_000_000

EMBEDDED_TIMEOUTS = Timeouts(heartbeat_s=3.0)
CLUSTER_TIMEOUTS = Timeouts()
# After a kill the history is replayed within one workflow task, which is short on the embedded server: 3,554 events
# took 3.4 s of CPU, too near to its 5 s.
EMBEDDED_CONTINUE_AFTER_EVENTS = 2000
CLUSTER_CONTINUE_AFTER_EVENTS = 4000

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_TEAM = re.compile(r"[A-Za-z0-9._-]{1,60}")
_PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,119}")
_SLUG_CHARS = 32


class ProjectRequest(Frozen):
    """A checked request: texts, cap in micro-USD, time limit in seconds, tasks at a time."""

    project: str
    criteria: str
    max_micro: int
    time_limit_s: float
    concurrency: int
    policies: tuple[Policy, ...] = ()
    overrides: tuple[ModelOverride, ...] = ()
    approve_plan: bool = False  # the plan waits for a person
    plan_only: bool = False  # end after the plan
    advise_only: bool = False  # end after the advice
    on_exhausted: OnExhausted = OnExhausted.END
    enhance: EnhanceMode = EnhanceMode.OFF
    advise: bool = False
    wishes: ArchitectureWishes = ArchitectureWishes()
    dependencies: DependencyPolicy = DependencyPolicy()
    validators: tuple[str, ...] = ()
    commands: tuple[UserCommand, ...] = ()
    quality_targets: dict[TaskType, float] = {}
    delivery: Delivery | None = None
    team: str = ""


def parse_text(raw: str) -> str:
    """Project text or criteria: 1 byte to 100 kB of UTF-8 that is not blank. Raises ValueError."""
    text = raw.strip()
    if not text:
        raise ValueError("is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("is not valid UTF-8") from None
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"is {size} bytes long; at most {MAX_TEXT_BYTES} are accepted")
    return text


def parse_budget(raw: str) -> int:
    """USD as micro-USD, rounded down: a cap must never grow. Raises ValueError."""
    wanted = f"must be a number of USD greater than 0 and at most {MAX_BUDGET_USD}, such as 2.0; got {raw[:60]!r}"
    try:
        amount = Decimal(raw)
    except InvalidOperation:
        raise ValueError(wanted) from None
    if not amount.is_finite() or not 0 < amount <= MAX_BUDGET_USD:
        raise ValueError(wanted)
    micro = int((amount * MICRO_PER_USD).to_integral_value(ROUND_FLOOR))
    if micro == 0:
        raise ValueError(f"must be at least 0.000001 USD; got {raw[:60]!r}")
    return micro


def parse_time_limit(raw: str) -> float:
    """A duration in seconds from `5400`, `90m`, `1h30m` or `2d`. Raises ValueError."""
    match = _DURATION.fullmatch(raw.strip().lower())
    if not match or not any(match.groups()):
        raise ValueError(f"must be a duration such as 90m, 1h30m or 5400 (seconds); got {raw[:60]!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if not 1 <= total <= MAX_TIME_LIMIT_S:
        raise ValueError(f"must be between 1 second and 365 days; got {raw[:60]!r}")
    return total


def parse_concurrency(raw: str) -> int:
    """Tasks at a time, 1 to 64. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,4}", raw) or not 1 <= int(raw) <= MAX_CONCURRENCY:
        raise ValueError(f"must be a whole number from 1 to {MAX_CONCURRENCY}; got {raw[:60]!r}")
    return int(raw)


def parse_approve(raw: str) -> bool:
    """True from `plan`: what is to be approved. Raises ValueError."""
    if raw.strip().lower() != "plan":
        raise ValueError(f"must be 'plan', which is all that can be approved; got {raw[:60]!r}")
    return True


def parse_on_exhausted(raw: str) -> OnExhausted:
    """`end` or `pause`. Raises ValueError."""
    try:
        return OnExhausted(raw.strip().lower())
    except ValueError:
        raise ValueError(f"must be 'end' or 'pause'; got {raw[:60]!r}") from None


def parse_app_type(raw: str) -> AppType:
    """A kind of software, however it is spelt. Raises ValueError."""
    found = app_type_of(raw)
    if found is None:
        raise ValueError(f"unknown kind of software {raw[:60]!r}; {nearest(raw, AppType)}")
    return found


def parse_project_id(raw: str) -> str:
    """`raw`, if it can be a project's id. Raises ValueError."""
    if not _PROJECT_ID.fullmatch(raw):
        raise ValueError(f"must be 1 to 120 small letters, digits or '-'; got {raw[:60]!r}")
    return raw


def parse_team(raw: str) -> str:
    """`raw`, if it can be a team's name. Raises ValueError."""
    if not _TEAM.fullmatch(raw):
        raise ValueError(f"must be 1 to 60 letters, digits, '.', '_' or '-'; got {raw[:60]!r}")
    return raw


def new_project_id(project: str, *, readable: bool) -> str:
    """An id of `[a-z0-9-]`: words of the text, and a random suffix that makes it unique.

    One that must tell nothing (Settings.readable_ids), since no id is ever sealed, has no words.
    """
    if not readable:
        return f"project-{secrets.token_hex(8)}"
    words = [word for word in re.findall(r"[a-z0-9]+", project.lower()) if word not in CONNECTING]
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word[:_SLUG_CHARS]
        if len(longer) > _SLUG_CHARS:
            break
        slug = longer
    return f"{slug or 'project'}-{secrets.token_hex(3)}"


def build_spec(
    request: ProjectRequest,
    *,
    project_id: str,
    models: Iterable[ModelSpec],
    routing: Mapping[TaskType, Sequence[str]],
    simulated_routing: Mapping[TaskType, Sequence[str]],
    embedded: bool,
) -> ProjectSpec:
    """The run's input: the request, and everything of the catalog that the run may use, frozen."""
    return ProjectSpec(
        project_id=project_id,
        project=request.project,
        criteria=request.criteria,
        max_micro=request.max_micro,
        time_limit_s=request.time_limit_s,
        concurrency=request.concurrency,
        models=tuple(models),
        routing={task_type: tuple(order) for task_type, order in routing.items()},
        simulated_routing={task_type: tuple(order) for task_type, order in simulated_routing.items()},
        timeouts=EMBEDDED_TIMEOUTS if embedded else CLUSTER_TIMEOUTS,
        continue_after_events=EMBEDDED_CONTINUE_AFTER_EVENTS if embedded else CLUSTER_CONTINUE_AFTER_EVENTS,
        vendor_queues=not embedded,
        policies=request.policies,
        overrides=request.overrides,
        approve_plan=request.approve_plan,
        plan_only=request.plan_only,
        judge_criteria=True,
        advise_only=request.advise_only,
        on_exhausted=request.on_exhausted,
        enhance=request.enhance,
        advise=request.advise,
        wishes=request.wishes,
        dependencies=request.dependencies,
        validators=request.validators,
        commands=request.commands,
        quality_targets=request.quality_targets,
        delivery=request.delivery,
        team=request.team,
    )
