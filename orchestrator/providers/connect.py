"""How a provider of the library reaches its vendor: its configuration, completed by the environment."""

from orchestrator.providers.generation import ProviderConfig
from orchestrator.settings import VendorSettings, load_settings
from orchestrator.settings.access import find_access
from orchestrator.settings.keys import KEY_COMMAND, KEY_VENDORS
from orchestrator.settings.ollama import ollama_url
from orchestrator.settings.vendors import VENDORS, VendorDefinition
from orchestrator.settings.vendors.yandex import IAM_TOKEN_NAME


def vendor_settings(vendor: str, config: ProviderConfig, provider: str) -> VendorSettings:
    """Settings of a built-in vendor. What `config` leaves open comes from the environment.

    Raises ValueError, in the name of the class `provider`, where something that the vendor needs is nowhere.
    """
    definition = VENDORS[vendor]
    environment = {**load_settings().environment, **_variables(definition, config)}
    if not definition.key_names:
        # Asked for its models only when it is used: it may be started later than this program.
        base_url = ollama_url(environment.get(definition.base_url_name) or definition.base_url or "")
        options = {o.name: environment.get(o.variable) or o.default for o in definition.options}
        return VendorSettings(
            vendor=vendor, base_url=base_url, verify_ssl=config.verify_ssl, options=options, definition=definition
        )
    if config.api_key is not None:
        for name in set(definition.key_names) - {_key_variable(definition)}:
            environment.pop(name, None)
    environment.pop(KEY_VENDORS, None)  # whoever makes this provider wants its key
    access = find_access(environment, {vendor: definition})
    if vendor not in access.vendors:
        has_key = {*environment} & {*definition.key_names, KEY_COMMAND}
        absent = (o.name for o in definition.options if o.required and not environment.get(o.variable))
        missing = next(absent, "api_key") if has_key else "api_key"
        raise ValueError(f"{missing} is required for {provider}: {access.unusable[vendor]}")
    return access.vendors[vendor]


def endpoint_settings(config: ProviderConfig, provider: str) -> VendorSettings:
    """Settings of an endpoint that speaks OpenAI's Chat Completions. Raises ValueError without a `base_url`."""
    if not config.base_url:
        raise ValueError(f"base_url is required for {provider}")
    definition = VendorDefinition(name=config.name, family="openai_compatible", key_names=(), base_url_name="")
    fields = {"base_url": config.base_url, "verify_ssl": config.verify_ssl}
    if config.api_key is not None:
        fields["api_key"] = config.api_key
    return VendorSettings.model_validate({"vendor": config.name, "definition": definition, **fields})


def _variables(definition: VendorDefinition, config: ProviderConfig) -> dict[str, str]:
    """The configuration as variables, which are checked as those of the environment are."""
    options = {"scope": config.scope, "folder_id": config.folder_id}
    given = {option.variable: options.get(option.name) for option in definition.options}
    given[definition.base_url_name] = config.base_url
    if config.api_key is not None and definition.key_names:
        given[_key_variable(definition)] = config.api_key.get_secret_value()
    if not config.verify_ssl:
        given[definition.verify_ssl_name] = "false"
    return {name: value for name, value in given.items() if value is not None}


def _key_variable(definition: VendorDefinition) -> str:
    return IAM_TOKEN_NAME if IAM_TOKEN_NAME in definition.key_names else definition.key_names[0]
