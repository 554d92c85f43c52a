"""Imports modules one after the other and writes what happens, one JSON object per line.

Arguments: a JSON object {modules: [[path, module, root]], roots: [folder]}, and the file to write.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any

MESSAGE_CHARS = 1500


def place(error: BaseException, workspace: str) -> tuple[str, int]:
    """The innermost line of the traceback that lies in the workspace."""
    if isinstance(error, SyntaxError) and error.filename:
        return os.path.relpath(error.filename, workspace), error.lineno or 0
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = os.path.relpath(os.path.join(workspace, frame.filename), workspace)
        if not path.startswith("..") and os.path.exists(path):
            return path, frame.lineno or 0
    return "", 0


def tried(path: str, module: str, workspace: str) -> dict[str, Any]:
    """What came of importing `module`; empty if all is well."""
    try:
        importlib.import_module(module)
    except SystemExit as error:
        message = f"importing it ends the program (exit code {error.code}): guard what runs with `if __name__ == ...`"
        return {"module": module, "path": path, "line": 0, "error": message, "exits": True}
    except BaseException as error:  # noqa: BLE001  whatever foreign code raises is its finding
        where, line = place(error, workspace)
        message = f"{type(error).__name__}: {error}"[:MESSAGE_CHARS]
        missing = isinstance(error, ModuleNotFoundError)
        return {"module": module, "path": where or path, "line": line, "error": message, "missing": missing}
    return {}


def main() -> None:
    """Import all, each with the folder that its name starts from and its own one on the path."""
    plan, report = json.loads(sys.argv[1]), sys.argv[2]
    workspace = os.getcwd()
    sys.argv = ["imported"]
    base = [entry for entry in sys.path if entry]
    roots = [os.path.join(workspace, root) for root in plan["roots"]]
    with open(report, "w", encoding="utf-8") as file:

        def tell(event: dict[str, Any]) -> None:
            file.write(json.dumps(event) + "\n")
            file.flush()

        told = set()
        for path, module, root in plan["modules"]:
            first = os.path.join(workspace, root)
            beside = os.path.dirname(os.path.join(workspace, path))
            sys.path[:] = list(dict.fromkeys([first, *roots, *base, beside]))
            tell({"begin": path})
            problem = tried(path, module, workspace)
            key = (problem.get("path"), problem.get("line"), problem.get("error"))
            if problem and key not in told:  # what several modules stumble over is told once
                told.add(key)
                tell(problem)
        tell({"end": True})


main()
