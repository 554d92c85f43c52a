"""What was installed for one set of files."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain.apps import Dependencies
from orchestrator.domain.base import Frozen
from orchestrator.domain.findings import CheckResult, Finding
from orchestrator.validators.results import result, unchecked

NAME = "dependencies"
NODE_CACHES = (".cache", ".vite", ".vite-temp")  # folders of node_modules that tools write into while they run


class Environment(Frozen):
    """Packages that a run of the files needs, and what is wrong with what they ask for.

    `python` is a virtual environment, None where the files need nothing beyond the tools; `node` maps folders of
    the workspace (empty: the workspace itself) to the `node_modules` that belong there. `resolved` are requirements
    of imports that no manifest declares: they are installed, and belong into the published manifest; `undeclared`
    says so to whoever writes that manifest.
    `unavailable` says why nothing could be installed (no network, no npm): what needs packages is then unchecked.
    """

    python: Path | None = None
    packages: Mapping[str, str] = {}  # normalised distribution name to version
    node: Mapping[str, Path] = {}
    findings: tuple[Finding, ...] = ()
    undeclared: tuple[Finding, ...] = ()
    resolved: Dependencies = Dependencies()
    unavailable: str = ""

    def is_package_file(self, path: str) -> bool:
        """Whether a file of the workspace lies where the packages go: it is left out there."""
        return any(path.startswith(f"{folder}/node_modules/".lstrip("/")) for folder in self.node)

    def verdict(self, own: frozenset[str] = frozenset()) -> CheckResult:
        """The findings as a validator's word; those about `own` paths only, unless it is empty."""
        if self.unavailable:
            return unchecked(NAME, self.unavailable)
        told = (*self.findings, *self.undeclared)
        return result(NAME, [item for item in told if not own or not item.path or item.path in own])


NOTHING = Environment()
