"""Access to the vendors: the key, the address and the options of each, and why one cannot be used."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from orchestrator.domain.errors import UserInputError
from orchestrator.settings.keys import KEY_COMMAND, KEY_VENDORS, keys_from_command
from orchestrator.settings.ollama import installed_models, ollama_url
from orchestrator.settings.vendors import VENDORS, VendorDefinition

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class VendorSettings(BaseModel):
    """Credentials, address and options of one vendor that can be used.

    Only `vendor` is needed: the definition is that of the built-in vendor of this name, and what it has defaults
    for is filled in. `key_name` is the variable that the key came from, the first of the vendor's if not given.
    """

    model_config = ConfigDict(frozen=True)

    vendor: str
    api_key: SecretStr = SecretStr("")
    base_url: str | None = None
    key_name: str = ""
    verify_ssl: bool = True
    ca_bundle: Path | None = None  # certificates to trust in place of the system's
    options: dict[str, str] = {}
    models: tuple[str, ...] = ()  # what is installed there, where the server says so (Ollama)
    definition: VendorDefinition

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        definition = values.get("definition") or VENDORS.get(values.get("vendor", ""))
        if definition is None:
            raise UserInputError(f"unknown vendor {values.get('vendor')!r}; known are {', '.join(VENDORS)}")
        defaults = {option.name: option.default for option in definition.options}
        return {
            **values,
            "definition": definition,
            "base_url": values.get("base_url") or definition.base_url,
            "key_name": values.get("key_name") or next(iter(definition.key_names), ""),
            "options": {**defaults, **(values.get("options") or {})},
        }


class Access(NamedTuple):
    """Vendors that can be used, and why the others cannot."""

    vendors: dict[str, VendorSettings]
    unusable: dict[str, str]


def find_access(environment: Mapping[str, str], definitions: Mapping[str, VendorDefinition]) -> Access:
    """What can be used in this environment. Runs the key command and asks Ollama, which may take a moment.

    Raises UserInputError where a variable has a value that cannot be used.
    """
    keys = {
        name: key for d in definitions.values() for name in d.key_names if (key := environment.get(name, "").strip())
    }
    keys |= keys_from_command(environment, _names_to_ask(environment, definitions, keys))
    found = Access({}, {})
    for vendor, definition in definitions.items():
        settings = _settings(environment, definition, keys)
        if isinstance(settings, str):
            found.unusable[vendor] = settings
        else:
            found.vendors[vendor] = settings
    return found


def _names_to_ask(
    environment: Mapping[str, str], definitions: Mapping[str, VendorDefinition], keys: Mapping[str, str]
) -> Iterable[str]:
    """Names of the keys that only the command may have, of all vendors or of those in ORCH_KEY_VENDORS."""
    if not environment.get(KEY_COMMAND):
        return ()
    named = environment.get(KEY_VENDORS, "").replace(",", " ").split() or list(definitions)
    unknown = [vendor for vendor in named if vendor not in definitions]
    if unknown:
        raise UserInputError(f"{KEY_VENDORS}: unknown vendor {unknown[0]!r}; known are {', '.join(definitions)}")
    wanted = (definitions[vendor] for vendor in named)
    return [name for d in wanted if not any(name in keys for name in d.key_names) for name in d.key_names]


def _settings(
    environment: Mapping[str, str], definition: VendorDefinition, keys: Mapping[str, str]
) -> VendorSettings | str:
    """Settings of the vendor, or why it cannot be used."""
    key_name = next((name for name in definition.key_names if name in keys), "")
    if definition.key_names and not key_name:
        return f"no key: set {' or '.join(definition.key_names)}"
    options = {
        option.name: environment.get(option.variable, "").strip() or option.default for option in definition.options
    }
    for option in definition.options:
        value = options[option.name]
        if option.required and not value:
            return f"set {option.variable} too"
        if value and not re.fullmatch(option.pattern, value):
            raise UserInputError(f"{option.variable}={value!r}: expected {option.expected or 'another value'}")
    base_url = environment.get(definition.base_url_name) or definition.base_url
    models: tuple[str, ...] | None = ()
    if definition.family == "ollama":
        base_url = ollama_url(base_url or "")
        models = installed_models(base_url)
        if not models:
            return f"no model is installed at {base_url}" if models == () else f"no Ollama answers at {base_url}"
    return VendorSettings(
        vendor=definition.name,
        api_key=SecretStr(keys.get(key_name, "")),
        base_url=base_url,
        key_name=key_name,
        verify_ssl=_switch(environment, definition.verify_ssl_name),
        ca_bundle=_file(environment, definition.ca_bundle_name),
        options=options,
        models=models or (),
        definition=definition,
    )


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").strip().lower()
    if value and value not in (*_YES, *_NO):
        raise UserInputError(f"{name}={value!r}: expected true or false")
    return value not in _NO


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_file():
        raise UserInputError(f"{name}={value!r}: no such file")
    return path
