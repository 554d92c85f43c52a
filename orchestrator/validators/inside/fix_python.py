"""Lets ruff mend Python files where that changes no behaviour, and writes those that changed as one JSON object.

Arguments: ruff, a JSON list of paths in the current folder, and the file to write. A file that no longer parses, or
whose mending does not end, is left as it was.
"""

import ast
import json
import subprocess
import sys

# Unused imports, f-strings without fields, blanks at line ends, the last line's end.
RULES = "F401,F541,W291,W292,W293"
OPTIONS = ("--isolated", "--no-cache", "--quiet", "--fix", "--exit-zero", "--target-version=py311")
# `import x` in a package marker is its interface; in conftest.py it may register fixtures
KEPT = ("--per-file-ignores=__init__.py:F401", "--per-file-ignores=conftest.py:F401")


def read(paths: list[str]) -> dict[str, bytes]:
    """The files as they are now."""
    found = {}
    for path in paths:
        with open(path, "rb") as file:
            found[path] = file.read()
    return found


def parses(source: bytes) -> bool:
    """Whether it is still a program."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def main() -> None:
    """Mend them all."""
    ruff, paths, report = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    before = read(paths)
    subprocess.run([ruff, "check", *OPTIONS, f"--select={RULES}", *KEPT, "--", *paths], check=False)
    after = {path: text for path, text in read(paths).items() if text != before[path] and parses(text)}
    with open(report, "w", encoding="utf-8") as file:
        json.dump({path: text.decode() for path, text in after.items()}, file)


main()
