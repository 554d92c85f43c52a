"""What is declared of a vendor: where its key and address come from, and what its wire can do."""

import re
from typing import Any, Literal

from pydantic import Field

from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import FailureKind

CA_BUNDLE_SUFFIX = "_CA_BUNDLE"

Family = Literal["openai_compatible", "anthropic", "google", "gigachat", "yandex", "ollama"]


class ExtraBody(Frozen):
    """Fields that are sent with every request to the models whose whole name matches `models`."""

    models: str = ".*"
    body: dict[str, Any]
    stops_cache: bool = False  # keeps the vendor from writing its prompt cache; left out for who wants it


class Capabilities(Frozen):
    """What a vendor's wire can do and what it names differently.

    What is declared as lacking is not sent. Patterns of model names must match the whole name.
    """

    # Where a JSON schema goes: the request carries it, or only asks for some JSON, or has no field for either.
    # In the last two cases the schema is written into the system text.
    structured_output: Literal["schema", "object", "prompt"] = "object"
    stream_usage: Literal["asked", "always", "never"] = "asked"
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system_role: Literal["system", "user"] = "system"  # user: the system text comes before the prompt
    temperature_max: float = Field(default=2.0, gt=0)  # higher ones are lowered to it
    no_temperature: tuple[str, ...] = ()  # models that refuse a temperature and top_p, or ignore them
    stop: bool = True  # False: no field for stop sequences; every text is cut here too
    no_stop: tuple[str, ...] = ()  # models that refuse the field
    thinking: Literal["apart", "inline"] = "apart"  # inline: a <think> block at the start of the text
    thinking_usage: Literal["in_output", "beside_output"] = "in_output"  # whether output counts include it
    prompt_cache: Literal["automatic", "off", "none"] = "automatic"  # off: only on request, see `prompt_cache_option`
    cache_writes: bool = False  # usage says how much was written to the cache
    extra_body: tuple[ExtraBody, ...] = ()
    error_codes: dict[str, FailureKind] = {}  # codes of this vendor that say more than the status

    def takes_temperature(self, model: str) -> bool:
        """Whether `model` obeys a temperature."""
        return not _matches(self.no_temperature, model)

    def takes_stop(self, model: str) -> bool:
        """Whether `model` has a field for stop sequences."""
        return self.stop and not _matches(self.no_stop, model)

    def caches_prompts(self, model: str, *, wanted: bool) -> bool:
        """Whether prompts to `model` are cached; `wanted`: the user switched on what costs to write."""
        if self.prompt_cache == "none" or wanted:
            return self.prompt_cache != "none"
        stopped = any(extra.stops_cache and _matches((extra.models,), model) for extra in self.extra_body)
        return self.prompt_cache == "automatic" and not stopped

    def body_for(self, model: str, *, caches: bool = False) -> dict[str, Any]:
        """The extra fields of a request to `model`; `caches`: its prompt cache may be written."""
        fitting = (
            extra.body
            for extra in self.extra_body
            if _matches((extra.models,), model) and not (caches and extra.stops_cache)
        )
        return {name: value for body in fitting for name, value in body.items()}


class Option(Frozen):
    """A setting that only this vendor has. It comes from `variable`, else it is `default`."""

    name: str
    variable: str
    default: str = ""
    pattern: str = ".*"  # the whole value must match
    expected: str = ""  # says in an error what the pattern wants
    required: bool = False


def prompt_cache_option(variable: str) -> Option:
    """Whether a vendor that charges for it may write its prompt cache."""
    return Option(name="prompt_cache", variable=variable, default="off", pattern="on|off", expected="on or off")


class VendorDefinition(Frozen):
    """One vendor. `key_names` are environment variables, the first that is set wins; none: it needs no key.

    `base_url` is None where the SDK's own is used.
    """

    name: str
    family: Family
    key_names: tuple[str, ...]
    base_url_name: str
    base_url: str | None = None
    capabilities: Capabilities = Capabilities()
    options: tuple[Option, ...] = ()

    @property
    def verify_ssl_name(self) -> str:
        """The variable that switches the check of the vendor's certificate off."""
        return f"{_prefix(self.name)}_VERIFY_SSL"

    @property
    def ca_bundle_name(self) -> str:
        """The variable that names a file of certificates to trust in place of the system's."""
        return f"{_prefix(self.name)}{CA_BUNDLE_SUFFIX}"


def _prefix(vendor: str) -> str:
    return vendor.upper().replace("-", "_")


def _matches(patterns: tuple[str, ...], model: str) -> bool:
    return any(re.fullmatch(pattern, model) for pattern in patterns)
