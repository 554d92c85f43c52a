"""What a validator looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.apps import Architecture, UserCommand
from orchestrator.validators.environments.environment import NOTHING, Environment
from orchestrator.validators.limits import Limits, SandboxRun
from orchestrator.validators.sandbox import Sandbox
from orchestrator.validators.tools import BASE


@dataclass(frozen=True)
class Subject:
    """Files, and all that a check of them may use.

    `own` are the paths that static checks answer for, in order. `environment` holds what the files need installed,
    `validators` the names of all checks that are run.
    """

    files: Mapping[str, bytes]
    own: Sequence[str]
    sandbox: Sandbox
    environment: Environment = NOTHING
    architecture: Architecture | None = None
    commands: Sequence[UserCommand] = ()
    validators: Sequence[str] = ()

    def own_files(self, *suffixes: str) -> dict[str, bytes]:
        """The own files with these suffixes."""
        return {path: self.files[path] for path in self.own if path in self.files and path.endswith(suffixes)}

    async def run(
        self,
        command: Sequence[str],
        limits: Limits,
        *,
        files: Mapping[str, bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        collect: Sequence[str] = (),
        tools: str = BASE,
    ) -> SandboxRun:
        """Run a command over all files (or `files`) with everything installed, like `Sandbox.run`."""
        return await self.sandbox.run(
            command,
            self.files if files is None else files,
            limits,
            environment=environment,
            collect=collect,
            installed=self.environment,
            tools=tools,
        )
