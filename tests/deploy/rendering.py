"""What the chart renders to: `python -m tests.deploy.rendering` writes it anew (needs Helm).

The result is kept, so that it can be checked and reviewed without Helm.
"""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.files import CHART, FULL_VALUES, KUBERNETES, RENDERED, chart_digest
from tests.deploy.tools import HOW_TO, program

_HEADER = (
    "# Written by `python -m tests.deploy.rendering` from the chart with ci/full-values.yaml.\n# chart: {digest}\n"
)


def render(helm: str, values: Path | None = FULL_VALUES) -> str:
    """The manifests of a release `orch` in the namespace `orch`. Raises CalledProcessError."""
    command = [helm, "template", "orch", str(CHART), "--namespace", "orch", "--kube-version", KUBERNETES]
    command += ["--values", str(values)] if values else []
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def documents(text: str) -> list[dict[str, Any]]:
    """All objects of a manifest."""
    return [document for document in yaml.safe_load_all(text) if document]


def kept() -> list[dict[str, Any]]:
    """The objects as they were rendered last."""
    return documents(RENDERED.read_text(encoding="utf-8"))


def header() -> str:
    """The first lines of the kept manifest, of the chart as it is now."""
    return _HEADER.format(digest=chart_digest())


def main() -> None:
    """Write the kept manifest."""
    helm = program("helm")
    if not helm:
        raise SystemExit(f"Helm is not here: {HOW_TO}")
    RENDERED.write_text(header() + render(helm), encoding="utf-8")


if __name__ == "__main__":
    main()
