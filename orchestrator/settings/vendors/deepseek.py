"""DeepSeek. https://api-docs.deepseek.com"""

from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

DEEPSEEK = VendorDefinition(
    name="deepseek",
    family="openai_compatible",
    key_names=("DEEPSEEK_API_KEY",),
    base_url_name="DEEPSEEK_BASE_URL",
    base_url="https://api.deepseek.com/v1",
    capabilities=Capabilities(
        # Thinking models take a temperature and ignore it.
        no_temperature=(r"deepseek-(reasoner|flash|v4-pro|v4-flash)",),
    ),
)
