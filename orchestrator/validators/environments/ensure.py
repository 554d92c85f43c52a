"""The environments that a set of files needs, installed once and found again."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain.apps import Dependencies, DependencyPolicy
from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.findings import Finding
from orchestrator.settings import Settings
from orchestrator.validators.environments.environment import Environment
from orchestrator.validators.environments.node import NodeEnvironments
from orchestrator.validators.environments.node_manifests import node_wishes
from orchestrator.validators.environments.python import PythonEnvironments
from orchestrator.validators.environments.wishes import python_wishes, undeclared
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
        self._node = NodeEnvironments(settings)

    async def ensure(self, files: Mapping[str, bytes], policy: DependencyPolicy) -> Environment:
        """What the manifests and the imports of `files` need, under `policy`.

        What is wrong with what they ask for is a finding; what stands in the way of installing anything at all is
        `unavailable`. Neither raises.
        """
        python, node = await asyncio.gather(self._ensure_python(files, policy), self._ensure_node(files, policy))
        return python.model_copy(
            update={
                "node": node.node,
                "findings": (*python.findings, *node.findings),
                "undeclared": (*python.undeclared, *node.undeclared),
                "resolved": Dependencies(python=python.resolved.python, node=node.resolved.node),
                "unavailable": python.unavailable or node.unavailable,
            }
        )

    async def _ensure_python(self, files: Mapping[str, bytes], policy: DependencyPolicy) -> Environment:
        wishes = await asyncio.to_thread(python_wishes, files, policy, self._at_hand)
        try:
            return await self._python.ensure(wishes, policy, files)
        except PrerequisiteError as error:
            return Environment(findings=tuple(wishes.findings), unavailable=str(error))

    async def _ensure_node(self, files: Mapping[str, bytes], policy: DependencyPolicy) -> Environment:
        modules: dict[str, Path] = {}
        findings: list[Finding] = []
        missing: list[Finding] = []
        resolved: list[str] = []
        for wishes in await asyncio.to_thread(node_wishes, files, policy):
            try:
                folder, found, names = await self._node.ensure(wishes, policy)
            except PrerequisiteError as error:
                return Environment(findings=(*findings, *wishes.findings), unavailable=str(error))
            findings += found
            missing += [undeclared(wishes.path, files, ("package.json",), name) for name in names]
            resolved += names
            if folder:
                modules[wishes.folder] = folder
        return Environment(
            node=modules,
            findings=tuple(findings),
            undeclared=tuple(missing),
            resolved=Dependencies(node=tuple(resolved)),
        )
