"""Kimi by Moonshot AI. https://platform.kimi.ai/docs/api/chat"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

KIMI = VendorDefinition(
    name="kimi",
    family="openai_compatible",
    key_names=("KIMI_API_KEY", "MOONSHOT_API_KEY"),
    base_url_name="KIMI_BASE_URL",
    base_url="https://api.moonshot.ai/v1",
    capabilities=Capabilities(
        max_tokens="max_completion_tokens",
        temperature_max=1.0,
        no_temperature=(r"kimi-k(2\.[5-9]|[3-9]).*",),  # fixed by the platform: any other value is a 400
    ),
)
