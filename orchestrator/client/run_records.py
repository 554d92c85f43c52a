"""What this machine remembers of the runs that it started: where their output goes."""

from pathlib import Path

from orchestrator.client.processes import read_record, write_atomic
from orchestrator.domain.base import Frozen


class RunRecord(Frozen):
    """`output_dir` is absolute; `exported` is the digest of the manifest that lies there, if any."""

    project_id: str
    output_dir: str
    exported: str = ""


def save_record(home: Path, record: RunRecord) -> None:
    """Keep `record` under `home`, in one step that a crash cannot halve."""
    path = _path(home, record.project_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, record.model_dump_json())


def load_record(home: Path, project_id: str) -> RunRecord | None:
    """The record of a run, or None where another machine started it or the record cannot be read."""
    return read_record(RunRecord, _path(home, project_id))


def _path(home: Path, project_id: str) -> Path:
    return home / "runs" / f"{project_id}.json"
