"""One minimal call of a model, to see that key, address, name and price fit: what is asked, and what came of it."""

from orchestrator.domain.base import Frozen
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import upper_bound_micro

SYSTEM = "Answer with one word."
PROMPT = "Say ok."
MAX_TOKENS = 32
# Some vendors answer with an error where the thoughts alone reach the limit.
MAX_TOKENS_WITH_THOUGHTS = 512
ENVELOPE_TOKENS = 64  # what a vendor may add around the texts


class ProbeRequest(Frozen):
    """Models to ask, one call each."""

    models: tuple[ModelSpec, ...]


class ProbeResult(Frozen):
    """What came of one call. `detail` is one redacted line; `cost_micro` is None where the price is not known."""

    id: str
    ok: bool
    detail: str
    elapsed_ms: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro: int | None = None


def max_tokens(model: ModelSpec) -> int:
    """The output limit of the call. An answer that ends there is an answer."""
    return min(MAX_TOKENS_WITH_THOUGHTS if model.reasoning else MAX_TOKENS, model.max_output_tokens)


def bound_micro(model: ModelSpec) -> int | None:
    """The most that the call can cost; None where the price is not known."""
    if not model.prices:
        return None
    size = len(SYSTEM.encode()) + len(PROMPT.encode()) + ENVELOPE_TOKENS
    return upper_bound_micro(size, max_tokens(model), model.prices)
