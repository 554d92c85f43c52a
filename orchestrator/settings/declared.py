"""OpenAI-compatible endpoints that the user declares: `vendors.yaml` in ORCH_HOME, or the file of ORCH_VENDORS_FILE.

vendors:
  groq:
    base_url: https://api.groq.com/openai/v1
    key: GROQ_API_KEY               # the variable that holds the key; left out where none is needed
    capabilities:                   # all optional, see orchestrator/settings/vendors/definition.py
      structured_output: schema
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from orchestrator.domain.base import Frozen
from orchestrator.settings.vendors import VENDORS, VendorDefinition
from orchestrator.settings.vendors.definition import Capabilities

VENDORS_FILE = "ORCH_VENDORS_FILE"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class _Endpoint(Frozen):
    base_url: str
    key: str = ""
    capabilities: Capabilities = Capabilities()


class _File(Frozen):
    vendors: dict[str, _Endpoint] = Field(default_factory=dict)


def declared_vendors(environment: Mapping[str, str], home: Path) -> dict[str, VendorDefinition]:
    """The endpoints of the user's file; none where there is no file.

    Raises UserInputError with file, line and field for what is wrong in it.
    """
    named = environment.get(VENDORS_FILE)
    path = Path(named).expanduser() if named else home / "vendors.yaml"
    if not named and not path.is_file():
        return {}
    from orchestrator.settings.yaml_files import shaped
    from orchestrator.settings.yaml_source import read_document

    document = read_document(path, typed=True)
    file = shaped(document, _File, page="docs/vendors/README.md")
    for name, endpoint in file.vendors.items():
        for field, wrong in _mistakes(name, endpoint):
            document.complain(("vendors", name, *field), wrong, of_name=not field)
    document.check()
    return {name: _definition(name, endpoint) for name, endpoint in file.vendors.items()}


def _mistakes(name: str, endpoint: _Endpoint) -> Iterator[tuple[tuple[str, ...], str]]:
    """What no type says. The words never quote a value: somebody may have written a key there."""
    if name in VENDORS:
        yield (), f"is built in; move it with {VENDORS[name].base_url_name}"
    if not _NAME.fullmatch(name) or name.startswith("sim-"):
        yield (), "is no name of a vendor: small letters, digits, - and _"
    parts = urlsplit(endpoint.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield ("base_url",), "give an address such as https://host/v1"
    if parts.username or parts.password or parts.query:
        yield ("base_url",), "must have no credentials and no query"
    if endpoint.key and not _VARIABLE.fullmatch(endpoint.key):
        yield ("key",), "give the name of an environment variable such as GROQ_API_KEY, never the key itself"


def _definition(name: str, endpoint: _Endpoint) -> VendorDefinition:
    return VendorDefinition(
        name=name,
        family="openai_compatible",
        key_names=(endpoint.key,) if endpoint.key else (),
        base_url_name=f"{name.upper().replace('-', '_')}_BASE_URL",
        base_url=endpoint.base_url.rstrip("/"),
        capabilities=endpoint.capabilities,
    )
