"""The files that a project starts from."""

from orchestrator.artifacts.manifest import write_draft
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts.tools import ScaffoldInput, ScaffoldResult
from orchestrator.scaffolds import scaffold


async def lay_out(store: ArtifactStore, request: ScaffoldInput) -> ScaffoldResult:
    """Scaffold of the app type with the plan's packages, without what tasks own."""
    architecture, packages = request.architecture, request.packages
    files = scaffold(architecture.app_type, request.name, packages, request.planned, architecture)
    installed = [f"package: {text}" for text in (*packages.python, *packages.node)]
    listing = "\n".join([*files, *installed])
    return ScaffoldResult(
        draft=await write_draft(store, files), listing=await store.put(listing.encode()), planned=request.planned
    )
