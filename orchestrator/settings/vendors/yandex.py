"""YandexGPT over its native API. https://yandex.cloud/en/docs/ai-studio/text-generation/api-ref"""

from orchestrator.settings.vendors.definition import Capabilities, Option, VendorDefinition

IAM_TOKEN_NAME = "YANDEX_IAM_TOKEN"  # lives for 12 hours; an API key lives until it is deleted

YANDEX = VendorDefinition(
    name="yandex",
    family="yandex",
    key_names=("YANDEX_API_KEY", IAM_TOKEN_NAME),
    base_url_name="YANDEX_BASE_URL",
    base_url="https://llm.api.cloud.yandex.net",
    capabilities=Capabilities(
        structured_output="schema",
        stream_usage="always",
        temperature_max=1.0,
        stop=False,
        thinking_usage="beside_output",
        prompt_cache="none",
    ),
    options=(Option(name="folder_id", variable="YANDEX_FOLDER_ID", required=True, pattern=r"[\w-]+"),),
)
