"""Mistral. https://docs.mistral.ai/api"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

MISTRAL = VendorDefinition(
    name="mistral",
    family="openai_compatible",
    key_names=("MISTRAL_API_KEY",),
    base_url_name="MISTRAL_BASE_URL",
    base_url="https://api.mistral.ai/v1",
    capabilities=Capabilities(
        structured_output="schema",
        stream_usage="always",  # and `stream_options` is refused, as every field that it does not know
        temperature_max=1.5,
    ),
)
