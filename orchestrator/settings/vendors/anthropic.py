"""Anthropic over its Messages API. https://platform.claude.com/docs/en/api/messages"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

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
        # Its cache is written on request and at a surcharge, which no reservation knows of.
        prompt_cache="off",
    ),
)
