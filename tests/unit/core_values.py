"""Values that tests of the pure core share."""

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.domain.refs import BlobRef, DraftRef
from orchestrator.domain.tasks import TaskSpec, TaskType

BLOB = BlobRef(sha256="0" * 64, size=10)


def draft(path: str = "a.py") -> DraftRef:
    return DraftRef(manifest=BLOB, files_bytes=100, paths=(path,))


def model(model_id: str, price_micro: int = 1_000_000, **changes: object) -> ModelSpec:
    vendor, name = model_id.split(":")
    base = ModelSpec(
        id=model_id,
        vendor=vendor,
        model=name,
        prices=(PriceTier(input_micro=price_micro, cached_input_micro=price_micro, output_micro=price_micro),),
        context_tokens=100_000,
        max_output_tokens=8192,
    )
    return base.model_copy(update=changes)


def task(task_id: str, *dependencies: str, files: tuple[str, ...] = ()) -> TaskSpec:
    return TaskSpec(
        id=task_id,
        title=task_id,
        type=TaskType.CODE_GENERATION,
        dependencies=dependencies,
        files=files or (f"{task_id}.py",),
        validators=("python_syntax",),
        prompt=BLOB,
    )
