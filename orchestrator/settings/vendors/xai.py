"""Grok by xAI. https://docs.x.ai/docs/api-reference"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

XAI = VendorDefinition(
    name="xai",
    family="openai_compatible",
    key_names=("XAI_API_KEY",),
    base_url_name="XAI_BASE_URL",
    base_url="https://api.x.ai/v1",
    capabilities=Capabilities(
        structured_output="schema",
        max_tokens="max_completion_tokens",
        no_stop=(r"grok-(3-mini|[4-9]|\d\d|code|build).*",),  # reasoning models answer a stop with 400
        thinking_usage="beside_output",  # `completion_tokens` is the text alone, `total_tokens` has everything
    ),
)
