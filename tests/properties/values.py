"""Random values of the core: models, graphs, failures."""

from random import Random
from typing import TypeVar

from pydantic import BaseModel

from orchestrator.domain.answers import PlannedTask
from orchestrator.domain.breaker import PERMANENT, TRANSIENT
from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier, Usage
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.routing import ModelOverride
from orchestrator.domain.tasks import Stage, TaskSpec, TaskType
from tests.unit.core_values import BLOB

Value = TypeVar("Value", bound=BaseModel)

# Whatever a vendor says with an error status is free; the others were answers, or their fate is unknown.
ANSWERED = frozenset(
    (FailureKind.REFUSED, FailureKind.FILTERED, FailureKind.EMPTY, FailureKind.TRUNCATED, FailureKind.INVALID)
)
UNKNOWN = frozenset((FailureKind.LOST, FailureKind.CANCELLED))
RETRY_AFTER_S = (None, None, 0.0, 0.25, 3.0, 8.0, 45.0, 600.0)


def survives(value: Value) -> Value:
    """`value` as it comes back from the store, after proof that nothing of it was lost."""
    text = value.model_dump_json()
    again = type(value).model_validate_json(text)
    assert again == value
    assert again.model_dump_json() == text
    return again


def random_tiers(rng: Random) -> tuple[PriceTier, ...]:
    """Prices from free to dear, some with a second tier; some models have none."""
    if rng.random() < 0.05:
        return ()
    price_micro = rng.choice((0, 50_000, 400_000, 1_000_000, 15_000_000))
    first = PriceTier(
        input_micro=price_micro,
        cached_input_micro=price_micro // 4,
        cache_write_micro=rng.choice((None, price_micro * 5 // 4)),
        output_micro=4 * price_micro,
    )
    if rng.random() < 0.75:
        return (first,)
    second = PriceTier(
        from_input_tokens=rng.choice((1, 4_000, 200_000)),
        input_micro=2 * price_micro,
        cached_input_micro=price_micro,
        output_micro=3 * price_micro,
    )
    return first, second


def random_models(rng: Random) -> tuple[ModelSpec, ...]:
    """One to four models of one to three vendors, in the order of a ranking."""
    return tuple(
        ModelSpec(
            id=f"{vendor}:m{number}",
            vendor=vendor,
            model=f"m{number}",
            prices=random_tiers(rng),
            context_tokens=rng.choice((8_000, 32_000, 200_000)),
            max_output_tokens=rng.choice((400, 4_096, 8_192, 64_000)),
            reasoning=rng.random() < 0.2,
        )
        for number in range(rng.randint(1, 4))
        for vendor in (rng.choice("abc"),)
    )


def random_overrides(rng: Random, models: tuple[ModelSpec, ...]) -> tuple[ModelOverride, ...]:
    """Wishes for some tasks, types and stages; some name a model that is not there."""
    return tuple(
        ModelOverride(
            models=tuple(rng.choice((*(model.id for model in models), "x:gone")) for _ in range(rng.randint(1, 3))),
            task=rng.choice(("", "t0", "t1")),
            type=rng.choice((None, *TaskType)),
            stage=rng.choice((None, *Stage)),
        )
        for _ in range(rng.choice((0, 0, 1, 4)))
    )


def random_failure(rng: Random) -> CallFailure:
    """A failure of any kind, with a fate that such a kind can have."""
    kind = rng.choice(tuple(FailureKind))
    if kind in ANSWERED:
        fate = rng.choice((Fate.BILLED, Fate.UNCERTAIN))
    elif kind in UNKNOWN:
        fate = Fate.UNCERTAIN
    elif kind in PERMANENT or kind not in TRANSIENT:
        fate = Fate.UNBILLED
    else:
        fate = rng.choice((Fate.UNBILLED, Fate.UNBILLED, Fate.UNCERTAIN))
    return CallFailure(kind=kind, fate=fate, message=kind.value, retry_after_s=rng.choice(RETRY_AFTER_S))


def random_usage(rng: Random, input_tokens: int, max_tokens: int) -> Usage | None:
    """What a vendor may report for a request of this size: seldom nothing, seldom absurdly much."""
    chance = rng.random()
    if chance < 0.05:
        return None
    factor = 1_000 if chance > 0.97 else 1
    read = rng.randint(0, input_tokens) * factor
    return Usage(
        input_tokens=read,
        cached_input_tokens=rng.choice((0, read // 2, 2 * read)),
        cache_write_tokens=rng.choice((0, read // 3, 2 * read)),
        output_tokens=rng.randint(0, max_tokens) * factor,
    )


def random_plan(rng: Random, largest: int) -> tuple[TaskSpec, ...]:
    """A graph without cycles, its tasks in any order."""
    count = rng.randint(1, largest)
    density = rng.choice((0.0, 0.2, 0.5, 1.0))
    tasks = [
        TaskSpec(
            id=f"t{number}",
            title=f"t{number}",
            type=rng.choice(tuple(TaskType)),
            dependencies=tuple(f"t{before}" for before in range(number) if rng.random() < density),
            files=(f"t{number}.py",),
            validators=rng.choice(((), ("python_syntax",))),
            prompt=BLOB,
        )
        for number in range(count)
    ]
    rng.shuffle(tasks)
    return tuple(tasks)


def planned(task: TaskSpec) -> PlannedTask:
    """The same task as a planning model would have proposed it."""
    return PlannedTask(
        id=task.id,
        title=task.title,
        type=task.type,
        prompt="x",
        dependencies=list(task.dependencies),
        files=list(task.files),
        validators=list(task.validators),
    )


def numbered_draft(number: int, path: str) -> DraftRef:
    """A draft that no other is equal to."""
    return DraftRef(manifest=BlobRef(sha256=f"{number:064d}", size=number), files_bytes=100, paths=(path,))
