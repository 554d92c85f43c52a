"""OpenAI-compatible endpoints that the user declares: `vendors.yaml` in ORCH_HOME, or the file of ORCH_VENDORS_FILE.

vendors:
  groq:
    base_url: https://api.groq.com/openai/v1
    key: GROQ_API_KEY               # the variable that holds the key; left out where none is needed
    capabilities:                   # all optional, see orchestrator/settings/vendors/definition.py
      structured_output: schema
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError
from orchestrator.settings.vendors import VENDORS, VendorDefinition
from orchestrator.settings.vendors.definition import Capabilities

VENDORS_FILE = "ORCH_VENDORS_FILE"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class _Endpoint(Frozen):
    base_url: str
    key: str = ""
    capabilities: Capabilities = Capabilities()

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address such as https://host/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("no credentials and no query in the address")
        return value.rstrip("/")

    @field_validator("key")
    @classmethod
    def _names_a_variable(cls, value: str) -> str:
        if value and not _VARIABLE.fullmatch(value):
            raise ValueError("expected the name of an environment variable such as GROQ_API_KEY, never the key itself")
        return value


class _File(Frozen):
    vendors: dict[str, _Endpoint] = Field(default_factory=dict)

    @field_validator("vendors")
    @classmethod
    def _has_good_names(cls, value: dict[str, _Endpoint]) -> dict[str, _Endpoint]:
        for name in value:
            if name in VENDORS:
                raise ValueError(f"{name} is built in; move it with {VENDORS[name].base_url_name}")
            if not _NAME.fullmatch(name) or name.startswith("sim-"):
                raise ValueError(f"{name!r} is no name of a vendor: small letters, digits, - and _")
        return value


def declared_vendors(environment: Mapping[str, str], home: Path) -> dict[str, VendorDefinition]:
    """The endpoints of the user's file; none where there is no file.

    Raises UserInputError with file, line and field for what is wrong in it.
    """
    named = environment.get(VENDORS_FILE)
    path = Path(named).expanduser() if named else home / "vendors.yaml"
    if not named and not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"{path}: cannot be read ({type(error).__name__})") from None
    endpoints = _parse(path, text).vendors
    return {name: _definition(name, endpoint) for name, endpoint in endpoints.items()}


def _definition(name: str, endpoint: _Endpoint) -> VendorDefinition:
    return VendorDefinition(
        name=name,
        family="openai_compatible",
        key_names=(endpoint.key,) if endpoint.key else (),
        base_url_name=f"{name.upper().replace('-', '_')}_BASE_URL",
        base_url=endpoint.base_url,
        capabilities=endpoint.capabilities,
    )


def _parse(path: Path, text: str) -> _File:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UserInputError(f"{path}:{line}: not YAML ({getattr(error, 'problem', None) or 'broken'})") from None
    try:
        return _File.model_validate({} if value is None else value)
    except ValidationError as error:
        first = error.errors()[0]
        location = tuple(first["loc"])
        field = ".".join(str(part) for part in location) or "file"
        line = _line_of(yaml.compose(text), location)
        raise UserInputError(f"{path}:{line}: {field}: {first['msg'].removeprefix('Value error, ')}") from None


def _line_of(node: Any, location: tuple[int | str, ...]) -> int:
    """The line of the field at `location`, or of the innermost part of it that is there."""
    line = 1
    for part in location:
        children = node.value if node is not None and isinstance(node.value, list) else []
        if isinstance(part, int):
            found = children[part] if part < len(children) else None
            start = found
        else:
            pair = next((pair for pair in children if isinstance(pair, tuple) and pair[0].value == part), None)
            start, found = pair if pair else (None, None)
        if start is None:
            break
        line = start.start_mark.line + 1
        node = found
    return line
