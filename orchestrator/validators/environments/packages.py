"""What is in an installed environment: distributions with their versions, and the modules that they provide."""

from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import canonicalize_name


def site_packages(root: Path) -> Path:
    """The folder of a virtual environment that packages are in. Raises FileNotFoundError."""
    for folder in (root / "lib").glob("python*/site-packages"):
        return folder
    raise FileNotFoundError(str(root))


def installed(root: Path) -> dict[str, str]:
    """Normalised name of each distribution in a virtual environment, and its version."""
    found: dict[str, str] = {}
    for info in site_packages(root).glob("*.dist-info"):
        metadata = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8", errors="replace"))
        found[canonicalize_name(metadata.get("Name", ""))] = metadata.get("Version", "")
    return found


def modules(root: Path) -> set[str]:
    """Top-level modules that a virtual environment provides."""
    return {entry.name.partition(".")[0] for entry in site_packages(root).iterdir() if "-info" not in entry.name}
