"""OpenRouter: models of many vendors behind one key. https://openrouter.ai/docs"""

from orchestrator.domain.errors import FailureKind
from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

OPENROUTER = VendorDefinition(
    name="openrouter",
    family="openai_compatible",
    key_names=("OPENROUTER_API_KEY",),
    base_url_name="OPENROUTER_BASE_URL",
    base_url="https://openrouter.ai/api/v1",
    capabilities=Capabilities(
        structured_output="schema",
        no_temperature=(r"openai/(o\d|gpt-([5-9]|\d\d)).*", r"anthropic/claude-[a-z]+-([5-9]|\d\d).*"),
        cache_writes=True,
        # A 403 whose metadata has the input that was flagged is no bad key.
        error_codes={"flagged_input": FailureKind.FILTERED},
    ),
)
