"""Programs that run inside the sandbox; each stands alone, under an interpreter that is not ours."""

from functools import lru_cache
from importlib import resources


@lru_cache
def script(name: str) -> str:
    """The text of one of them, to be given to an interpreter."""
    return resources.files("orchestrator.validators.inside").joinpath(name).read_text(encoding="utf-8")
