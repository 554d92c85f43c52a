"""What a sandboxed run may use, and what came of it."""

from collections.abc import Mapping

from pydantic import Field

from orchestrator.domain.base import Frozen

MIB = 1024 * 1024


class Limits(Frozen):
    """Bounds of one run, for the whole process tree together.

    `processes` counts threads too. `disk_bytes` is the size of each writable folder: workspace, /tmp, HOME.
    `output_bytes` covers stdout and stderr together.
    """

    wall_s: float = Field(default=60.0, gt=0)
    cpu_s: float = Field(default=120.0, gt=0)
    memory_bytes: int = Field(default=1024 * MIB, gt=0)
    processes: int = Field(default=256, gt=0)
    disk_bytes: int = Field(default=256 * MIB, gt=0)
    output_bytes: int = Field(default=1 * MIB, gt=0)


class SandboxRun(Frozen):
    """Outcome of one run.

    `exit_code` is None where a limit ended the run, else as a shell reports it (128 + n after signal n).
    `limit` names the limit that was hit: wall, cpu, memory, processes, disk, output; empty if none was.
    `files` holds what was asked to be collected from the run's /tmp and exists there.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    limit: str = ""
    duration_s: float = 0.0
    files: Mapping[str, bytes] = {}
