"""Asks models one minimal question each, with the vendors as a worker of this environment has them.

`python -P -m workers.probe`: a ProbeRequest on stdin, one ProbeResult per line on stdout. A process of its own, as
the worker is: the command line neither imports vendors' SDKs nor needs a server to learn whether a key works.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterable

from orchestrator.catalog.probing import PROMPT, SYSTEM, ProbeRequest, ProbeResult, bound_micro, max_tokens
from orchestrator.domain.errors import Fate, OrchError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import cost_micro
from orchestrator.providers.base import FinishReason, ModelRequest, Provider, ProviderError, Timeouts
from orchestrator.providers.registry import open_provider
from orchestrator.settings import Settings, load_settings

_TIMEOUTS = Timeouts(connect_s=10.0, first_byte_s=60.0, between_chunks_s=30.0)


async def probe(models: Iterable[ModelSpec], settings: Settings) -> None:
    """Ask all models and print each result as it comes: vendors side by side, the models of one after another."""
    by_vendor: dict[str, list[ModelSpec]] = {}
    for model in models:
        by_vendor.setdefault(model.vendor, []).append(model)
    await asyncio.gather(*(_probe_vendor(vendor, asked, settings) for vendor, asked in by_vendor.items()))


async def _probe_vendor(vendor: str, models: list[ModelSpec], settings: Settings) -> None:
    provider = open_provider(settings.vendors[vendor])
    try:
        for model in models:
            result = await ask(provider, model)
            sys.stdout.write(result.model_dump_json() + "\n")
            sys.stdout.flush()
    finally:
        await provider.aclose()


async def ask(provider: Provider, model: ModelSpec) -> ProbeResult:
    """One call. A failure is a result; its cost is the bound where nobody knows whether it was billed."""
    limit = max_tokens(model)
    request = ModelRequest(model=model.model, system=SYSTEM, prompt=PROMPT, max_tokens=limit, timeouts=_TIMEOUTS)
    started = time.monotonic()

    def elapsed_ms() -> int:
        return round((time.monotonic() - started) * 1000)

    try:
        answer = await provider.complete(request, lambda _: None)
    except ProviderError as error:
        failure = error.failure
        lost = bound_micro(model) if failure.fate is not Fate.UNBILLED else 0
        detail = f"{failure.kind.value}: {failure.message}"
        return ProbeResult(id=model.id, ok=False, detail=detail, elapsed_ms=elapsed_ms(), cost_micro=lost)
    usage = answer.usage
    cost = bound_micro(model) if usage is None else cost_micro(usage, model.prices) if model.prices else None
    ok = answer.finish in (FinishReason.STOP, FinishReason.LENGTH)
    return ProbeResult(
        id=model.id,
        ok=ok,
        detail="" if ok else f"the answer ended with {answer.finish.value}",
        elapsed_ms=elapsed_ms(),
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        cost_micro=cost,
    )


def main() -> None:
    """Exit codes: 0 where every model was asked, whatever came of it; 1 where the vendors could not be opened."""
    code = 0
    try:
        request = ProbeRequest.model_validate_json(sys.stdin.read())
        asyncio.run(probe(request.models, load_settings()))
    except OrchError as error:
        sys.stderr.write(f"{error}\n")
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
