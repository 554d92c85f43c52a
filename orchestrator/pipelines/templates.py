"""The pipelines that come along."""

from importlib.resources import files

from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.pipelines.loader import parse_pipeline

_FOLDER = files("orchestrator.pipelines") / "library"
_SUFFIX = ".yaml"


def names() -> tuple[str, ...]:
    """Their names, in order."""
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in _FOLDER.iterdir() if file.name.endswith(_SUFFIX)))


def source(name: str) -> str:
    """The YAML of one. Raises KeyError where there is none of that name."""
    if name not in names():
        raise KeyError(name)
    return (_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def load(name: str) -> PipelineSpec:
    """One of them. Raises KeyError where there is none of that name."""
    return parse_pipeline(source(name), f"{name}{_SUFFIX}")
