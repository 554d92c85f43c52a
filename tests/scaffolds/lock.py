"""Locks the Node packages of the scaffolds anew, after a change of a version in one of their package.json.

`python -m tests.scaffolds.lock` needs npm and a registry. The locks name no registry.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import orchestrator.scaffolds
from orchestrator.domain.apps import AppType, Dependencies
from orchestrator.scaffolds import scaffold

TYPES = Path(orchestrator.scaffolds.__file__).parent / "types"
NAME = "name-of-the-software"
NODE_TYPES = (AppType.NEXTJS, AppType.REACT_FASTAPI)


def lock(app_type: AppType) -> str:
    """The package-lock.json for a type's package.json, with the placeholder of its name."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = scaffold(app_type, NAME, Dependencies(), ())["package.json"]
        (Path(folder) / "package.json").write_bytes(manifest)
        command = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit"]
        subprocess.run(command, cwd=folder, check=True)
        locked = json.loads((Path(folder) / "package-lock.json").read_text("utf-8"))
    packages = locked["packages"]
    for package in packages.values():
        package.pop("funding", None)
        missing = [name for name in package.get("optionalDependencies", ()) if f"node_modules/{name}" not in packages]
        if missing:  # `npm ci` would refuse the lock: some system's part of a package is not published yet
            raise SystemExit(f"no such version, take an older one of what needs it: {', '.join(missing)}")
    return json.dumps(locked, indent=2).replace(NAME, "@@{distribution}") + "\n"


if __name__ == "__main__":
    for each in NODE_TYPES:
        (TYPES / each.value / "kept/package-lock.json.in").write_text(lock(each), "utf-8")
