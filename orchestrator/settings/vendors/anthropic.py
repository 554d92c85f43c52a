"""Anthropic over its Messages API. https://platform.claude.com/docs/en/api/messages"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition, prompt_cache_option

ANTHROPIC = VendorDefinition(
    name="anthropic",
    family="anthropic",
    key_names=("ANTHROPIC_API_KEY",),
    base_url_name="ANTHROPIC_BASE_URL",
    base_url="https://api.anthropic.com",
    capabilities=Capabilities(
        structured_output="schema",
        stream_usage="always",
        temperature_max=1.0,
        no_temperature=(r"claude-[a-z]+-([5-9]|\d\d)(-.*)?",),
        # Writing the cache costs a surcharge: only for who knows that prompts begin alike.
        prompt_cache="off",
        cache_writes=True,
    ),
    options=(prompt_cache_option("ANTHROPIC_PROMPT_CACHE"),),
)
