"""Runs the benchmarks, prints a table, and writes JSON where asked to."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.figures import as_object, table
from bench.measure import figures
from bench.stage import Stage
from orchestrator.testing.vendor_server import FakeVendorServer


def main() -> int:
    """Exit code 0 whether or not aims are reached: figures of a busy machine say little."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks of whole runs.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--repeats", type=int, default=3, help="runs per figure, of which the median counts")
    options = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as folder, FakeVendorServer() as vendors:
        stage = Stage(Path(folder), vendors)
        try:
            for figure in figures(stage, options.repeats):
                measured.append(figure)
                print(f"{figure.name}: {figure.value:.2f} {figure.unit}", file=sys.stderr, flush=True)
        finally:
            stage.installation.close()
    print(table(measured))
    if options.json:
        options.json.write_text(json.dumps(as_object(measured), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
