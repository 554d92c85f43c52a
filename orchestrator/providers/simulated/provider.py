"""A simulated vendor: answers after a while, in pieces, and now and then is busy."""

import asyncio
import hashlib
import random
from collections.abc import Callable

from orchestrator.domain.errors import CallFailure, FailureKind, Fate
from orchestrator.domain.money import Usage
from orchestrator.providers.base import FinishReason, ModelAnswer, ModelRequest, ProviderError
from orchestrator.providers.simulated.answers import Answerer
from orchestrator.settings import SimulationSettings
from orchestrator.settings.simulated import SIMULATED_MODELS, SIMULATED_VENDORS

BYTES_PER_TOKEN = 4
_PIECES = 8
_REFUSAL_SHARE_OF_LATENCY = 0.1


class SimulatedProvider:
    """One simulated vendor.

    Everything is drawn from the seed, the model, the stage and the prompt: the same request gets the same answer
    in every process. Only a refusal is drawn again when the request comes again, as with a vendor that was busy.
    """

    def __init__(self, vendor: str, settings: SimulationSettings) -> None:
        if vendor not in SIMULATED_VENDORS:
            raise ValueError(f"no simulated vendor {vendor!r}; there are {', '.join(SIMULATED_VENDORS)}")
        self.vendor = vendor
        self._settings = settings
        self._models = {model.model: model for model in SIMULATED_MODELS if model.vendor == vendor}
        self._refusals: dict[bytes, int] = {}

    async def complete(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelAnswer:
        """Answer after the model's latency, in pieces spread over it. Usage is one token for four bytes."""
        model = self._models.get(request.model)
        if model is None:
            raise ProviderError(
                CallFailure(
                    kind=FailureKind.NOT_FOUND,
                    fate=Fate.UNBILLED,
                    message=f"no model {request.model}"[:200],
                    status=404,
                )
            )
        latency_s = self._settings.latency_ms / 1000 * model.slowness
        identity = self._identity(request)
        await self._refuse_when_busy(identity, latency_s)
        answerer = Answerer(model, self._settings.defect_rate, random.Random(identity))
        text, finish = _within(answerer.answer(request), request.max_tokens)
        step = max(1, -(-len(text) // _PIECES))
        pieces = [text[start : start + step] for start in range(0, len(text), step)]
        for piece in pieces:
            await asyncio.sleep(latency_s / len(pieces))
            on_text(piece)
        return ModelAnswer(text=text, usage=_usage(request, text), finish=finish)

    async def aclose(self) -> None:
        """There is no connection to close."""

    def _identity(self, request: ModelRequest) -> bytes:
        parts = (str(self._settings.seed), request.model, request.stage.value, request.prompt)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()

    async def _refuse_when_busy(self, identity: bytes, latency_s: float) -> None:
        refused = self._refusals.get(identity, 0)
        rng = random.Random(identity + refused.to_bytes(4))
        if rng.random() >= self._settings.error_rate:
            self._refusals.pop(identity, None)
            return
        self._refusals[identity] = refused + 1
        await asyncio.sleep(latency_s * _REFUSAL_SHARE_OF_LATENCY)
        raise ProviderError(_refusal(rng))


def _refusal(rng: random.Random) -> CallFailure:
    if rng.random() < 0.5:
        return CallFailure(kind=FailureKind.SERVER, fate=Fate.UNBILLED, message="simulated: overloaded", status=503)
    return CallFailure(
        kind=FailureKind.RATE_LIMIT,
        fate=Fate.UNBILLED,
        message="simulated: too many requests",
        status=429,
        retry_after_s=round(rng.uniform(0.1, 0.5), 2),
    )


def _within(text: str, max_tokens: int) -> tuple[str, FinishReason]:
    encoded = text.encode()
    if len(encoded) <= max_tokens * BYTES_PER_TOKEN:
        return text, FinishReason.STOP
    return encoded[: max_tokens * BYTES_PER_TOKEN].decode(errors="ignore"), FinishReason.LENGTH


def _usage(request: ModelRequest, text: str) -> Usage:
    return Usage(input_tokens=_tokens(request.system) + _tokens(request.prompt), output_tokens=_tokens(text))


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
