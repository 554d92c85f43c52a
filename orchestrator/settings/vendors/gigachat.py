"""GigaChat by Sber. https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat"""

from orchestrator.settings.vendors.definition import Capabilities, Option, VendorDefinition

GIGACHAT = VendorDefinition(
    name="gigachat",
    family="gigachat",
    key_names=("GIGACHAT_API_KEY",),
    base_url_name="GIGACHAT_BASE_URL",
    base_url="https://gigachat.devices.sberbank.ru/api/v1",
    capabilities=Capabilities(structured_output="schema", stream_usage="always"),
    options=(
        Option(
            name="auth_url",
            variable="GIGACHAT_AUTH_URL",
            default="https://ngw.devices.sberbank.ru:9443/api/v2/oauth",
        ),
        Option(name="scope", variable="GIGACHAT_SCOPE", default="GIGACHAT_API_PERS", pattern=r"\w+"),
        Option(
            name="auth_scheme",
            variable="GIGACHAT_AUTH_SCHEME",
            default="Basic",
            pattern="Basic|Bearer",
            expected="Basic or Bearer",
        ),
    ),
)
