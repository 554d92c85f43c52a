"""Models on the user's own machine: which of them are there, and how much they are given to read."""

from orchestrator.catalog.entries import UNKNOWN_QUALITY, CatalogEntry, unsourced
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import FREE
from orchestrator.settings import VendorSettings

VENDOR = "ollama"
MAX_OUTPUT_TOKENS = 8192
_DEFAULT_TAG = ":latest"


def with_installed(entries: tuple[CatalogEntry, ...], ollama: VendorSettings | None) -> tuple[CatalogEntry, ...]:
    """`entries`, with what the Ollama of this machine has; None where none answers.

    A model that is neither installed nor in a file of the user is marked as missing, for a file may name what the
    machines of the workers have. Models that our data does not name are added, free of charge. The context is the
    one that Ollama is asked for.
    """
    installed = {_plain(name): name for name in ollama.models} if ollama else {}
    context_tokens = int(ollama.options["num_ctx"]) if ollama else 0
    known = {_plain(entry.spec.model) for entry in entries if entry.spec.vendor == VENDOR}
    new = (_found(name, context_tokens) for plain, name in installed.items() if plain not in known)
    return (*(_here(entry, installed, context_tokens) for entry in entries), *new)


def _here(entry: CatalogEntry, installed: dict[str, str], context_tokens: int) -> CatalogEntry:
    spec = entry.spec
    if spec.vendor != VENDOR:
        return entry
    if _plain(spec.model) not in installed:
        return entry if entry.declared else entry.model_copy(update={"installed": False})
    limits = {
        "context_tokens": context_tokens,
        "max_output_tokens": min(spec.max_output_tokens, context_tokens // 2),
    }
    return entry.model_copy(update={"spec": spec.model_copy(update=limits)})


def _found(name: str, context_tokens: int) -> CatalogEntry:
    model = name.removesuffix(_DEFAULT_TAG)
    spec = ModelSpec(
        id=f"{VENDOR}:{model}",
        vendor=VENDOR,
        model=model,
        prices=FREE,
        context_tokens=context_tokens,
        max_output_tokens=min(MAX_OUTPUT_TOKENS, context_tokens // 2),
        quality=UNKNOWN_QUALITY,
        region="local",
        tags=("local",),
    )
    return unsourced(spec, "installed on this machine")


def _plain(name: str) -> str:
    return name.removesuffix(_DEFAULT_TAG).casefold()
