"""Every metric of ours: its name, what it counts, its labels. docs/observability.md describes the same ones.

Labels are few and bounded: vendors, models, stages, statuses, validators, activities. Never ids of runs or tasks.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

# What the GenAI conventions advise for the two histograms that they define.
_CALL_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68)
_TOKENS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0)
_CHECK_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_RUN_SECONDS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)

_SUFFIXES = {"s": "seconds"}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


class Kind(Enum):
    """How values of a metric add up."""

    COUNTER = auto()
    GAUGE = auto()  # goes up and down: what is given is added
    HISTOGRAM = auto()


@dataclass(frozen=True)
class Instrument:
    """One metric. `unit` is UCUM, in braces where it only says what is counted."""

    name: str
    kind: Kind
    unit: str
    description: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The name of its family in Prometheus: a histogram's series add `_bucket`, `_sum` and `_count`."""
        suffix = _SUFFIXES.get(self.unit, "")
        name = label_name(self.name) + (f"_{suffix}" if suffix else "")
        return f"{name}_total" if self.kind is Kind.COUNTER else name


def label_name(attribute: str) -> str:
    """An attribute's name in Prometheus."""
    return _NOT_IN_NAMES.sub("_", attribute)


_GEN_AI = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")

CALLS = Instrument(
    "orch.calls",
    Kind.COUNTER,
    "{call}",
    "Requests that were sent to a vendor, by how they ended.",
    ("vendor", "model", "stage", "outcome"),
)
CALLS_ACTIVE = Instrument(
    "orch.calls.active", Kind.GAUGE, "{call}", "Requests that a vendor is answering.", ("vendor",)
)
CALLS_REUSED = Instrument(
    "orch.calls.reused",
    Kind.COUNTER,
    "{call}",
    "Outcomes that the journal knew, so that nothing was sent or paid again.",
    ("vendor",),
)
CALL_DURATION = Instrument(
    "gen_ai.client.operation.duration",
    Kind.HISTOGRAM,
    "s",
    "Time to a vendor's whole answer, or to its failure.",
    (*_GEN_AI, "error.type"),
    _CALL_SECONDS,
)
CALL_TOKENS = Instrument(
    "gen_ai.client.token.usage",
    Kind.HISTOGRAM,
    "{token}",
    "Tokens of a request as its vendor reports them.",
    (*_GEN_AI, "gen_ai.token.type"),
    _TOKENS,
)
COST = Instrument(
    "orch.cost.usd",
    Kind.COUNTER,
    "{USD}",
    "What answers cost, by the prices of the run.",
    ("vendor", "model", "stage"),
)
UNCERTAIN = Instrument(
    "orch.uncertain.usd",
    Kind.COUNTER,
    "{USD}",
    "Upper bounds that were booked for requests of unknown fate, reconciled later or not.",
    ("vendor", "model"),
)
RUNS = Instrument("orch.runs", Kind.COUNTER, "{run}", "Runs that ended.", ("kind", "status"))
RUN_DURATION = Instrument(
    "orch.run.duration",
    Kind.HISTOGRAM,
    "s",
    "From the start of a run, or its resumption, to its end, pauses included.",
    ("kind", "status"),
    _RUN_SECONDS,
)
TASKS = Instrument(
    "orch.tasks", Kind.COUNTER, "{task}", "Tasks of projects, by their status when the run ended.", ("type", "status")
)
CHECK_DURATION = Instrument(
    "orch.check.duration",
    Kind.HISTOGRAM,
    "s",
    "Time of one validator over one workspace.",
    ("validator", "outcome"),
    _CHECK_SECONDS,
)
BREAKER_OPENINGS = Instrument(
    "orch.breaker.openings",
    Kind.COUNTER,
    "{opening}",
    "Breakers that opened, counted when the run ends.",
    ("vendor",),
)
STORE_ERRORS = Instrument(
    "orch.store.errors",
    Kind.COUNTER,
    "{error}",
    "Operations that the artifact store refused; each is tried again.",
    ("activity",),
)
SANDBOX = Instrument(
    "orch.sandbox.available",
    Kind.GAUGE,
    "{worker}",
    "1 where this worker runs generated code in a sandbox.",
    ("kind",),
)

INSTRUMENTS: tuple[Instrument, ...] = (
    CALLS,
    CALLS_ACTIVE,
    CALLS_REUSED,
    CALL_DURATION,
    CALL_TOKENS,
    COST,
    UNCERTAIN,
    RUNS,
    RUN_DURATION,
    TASKS,
    CHECK_DURATION,
    BREAKER_OPENINGS,
    STORE_ERRORS,
    SANDBOX,
)
