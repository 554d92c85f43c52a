"""Files as fenced blocks whose info string names the path: how models get files, and how they answer."""

import re

_OPENING = re.compile(r"^(?P<fence>`{3,})[^`]*\bpath=(?P<path>[^`]+)$")
_BACKTICKS = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_LANGUAGES = {"py": "python", "md": "markdown", "toml": "toml", "json": "json", "csv": "csv"}


def write_files(files: dict[str, str]) -> str:
    """One block per file, in the order of `files`."""
    return "\n\n".join(_block(path, content) for path, content in files.items())


def read_files(text: str) -> dict[str, str]:
    """Path and content of all blocks that name a path, cut-off ones too; contents end with one line feed."""
    files: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        opening = _OPENING.match(line.rstrip())
        if opening is None:
            continue
        closing = re.compile(rf"`{{{len(opening['fence'])},}}\s*")
        content = []
        for inner in lines:
            if closing.fullmatch(inner):
                break
            content.append(inner)
        files[opening["path"].strip().strip("\"'")] = normalised("\n".join(content))
    return files


def normalised(content: str) -> str:
    """`content` with one line feed at its end, as files are compared."""
    return content.rstrip("\n") + "\n"


def _block(path: str, content: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(content)), default=2)
    fence = "`" * (max(longest, 2) + 1)
    language = _LANGUAGES.get(path.rpartition(".")[2], "text")
    return f"{fence}{language} path={path}\n{normalised(content)}{fence}"
