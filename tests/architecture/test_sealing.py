"""Nothing goes around encryption: stores and clients are made where the keys of the settings are taken along."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import PACKAGES, imported_names, modules, name_of, parse

# Where what has no keys by itself is called, by the name that it is imported under.
ALLOWED = {
    "orchestrator.artifacts.store.ArtifactStore": {"orchestrator/artifacts/store.py"},
    "temporalio.client.Client": {
        "orchestrator/client/connection.py",
        "orchestrator/client/namespace.py",  # registers search attributes, and carries no payload
        "orchestrator/client/retention.py",  # of other namespaces, with the converter that it was given
    },
}
OPENING = ("", ".open", ".connect")


def openings(path: Path) -> Iterator[str]:
    """What this module opens by itself."""
    tree = parse(path)
    imported = set(imported_names(tree))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for name, allowed in ALLOWED.items():
        short = name.rpartition(".")[2]
        if name in imported and name_of(path) not in allowed and not called.isdisjoint(short + how for how in OPENING):
            yield f"{name_of(path)} makes a {short}"


def test_nothing_is_opened_without_keys() -> None:
    found = [opening for path in modules(*PACKAGES) for opening in openings(path)]
    assert not found, f"{found}: use open_store(settings) and orchestrator.client.connection, which know the keys"
