"""Gemini over the Gemini API. https://ai.google.dev/api/generate-content"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

GOOGLE = VendorDefinition(
    name="google",
    family="google",
    key_names=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    base_url_name="GOOGLE_BASE_URL",
    base_url="https://generativelanguage.googleapis.com",
    capabilities=Capabilities(
        structured_output="schema",
        stream_usage="always",
        no_temperature=(r"gemini-([4-9]|\d\d)-.*",),
        thinking_usage="beside_output",
    ),
)
