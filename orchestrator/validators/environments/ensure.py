"""The environments that a set of files needs, installed once and found again."""

from collections.abc import Mapping

from orchestrator.domain.apps import DependencyPolicy
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.settings import Settings
from orchestrator.validators.environments.environment import Environment
from orchestrator.validators.environments.python import PythonEnvironments
from orchestrator.validators.environments.wishes import python_wishes
from orchestrator.validators.tools import ToolEnvironment

_AT_HAND = ("pytest", "ruff")  # tools that a project asks for and that every check has


class Environments:
    """Installs what files ask for, below the cache folder, for the sandbox to mount.

    Installing has the network and the way to the package index, and none of our keys; no code of any package runs.
    """

    def __init__(self, settings: Settings) -> None:
        tools = ToolEnvironment(settings)
        self._at_hand = {name: tools.versions[name] for name in _AT_HAND}
        self._python = PythonEnvironments(settings, tools)

    async def ensure(self, files: Mapping[str, bytes], policy: DependencyPolicy) -> Environment:
        """What the manifests and the imports of `files` need, under `policy`.

        What is wrong with what they ask for is a finding; what stands in the way of installing anything at all is
        `unavailable`. Neither raises.
        """
        wishes = python_wishes(files, policy, self._at_hand)
        try:
            return await self._python.ensure(wishes, policy)
        except PrerequisiteError as error:
            return Environment(findings=tuple(wishes.findings), unavailable=str(error))
