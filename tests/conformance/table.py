"""Prints the table of vendors and cases: `python -m tests.conformance.table`. Exits with 1 where a case fails."""

import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.conformance.harness import TESTED, Family

OK, LACK, FAIL = "ok", "lack", "FAIL"
LEGEND = "ok: as every vendor; lack: declared as lacking, and true on the wire; a gap: a case of other vendors only"


class Results:
    """A plugin of pytest that notes the outcome of each case for each vendor."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, str]] = defaultdict(dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Part of pytest."""
        report = yield
        where = _place(item)
        if where is not None and (report.when == "call" or report.failed):
            case, vendor = where
            family = item.funcargs.get("family") if isinstance(item, pytest.Function) else None
            lacking = isinstance(family, Family) and family.lacking
            outcome = FAIL if report.failed else LACK if lacking else OK
            if self.cells[case].get(vendor) != FAIL:
                self.cells[case][vendor] = outcome
        return report

    def lines(self) -> Iterator[str]:
        """The table, a line per case."""
        width = max(map(len, self.cells), default=0)
        yield " " * width + "  " + " ".join(f"{vendor:>10}" for vendor in TESTED)
        for case, cells in self.cells.items():
            yield f"{case:<{width}}  " + " ".join(f"{cells.get(vendor, ''):>10}" for vendor in TESTED)
        outcomes = [outcome for cells in self.cells.values() for outcome in cells.values()]
        counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in (OK, LACK, FAIL))
        yield f"{len(self.cells)} cases, {len(TESTED)} vendors: {counts}"
        yield LEGEND


def _place(item: pytest.Item) -> tuple[str, str] | None:
    """Case and vendor of a test; None for a test of one vendor's own."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return None
    parameters = dict(item.callspec.params)
    vendor = parameters.pop("opened_family", None) or parameters.pop("vendor", None)
    if vendor not in TESTED:
        return None
    name = item.originalname.removeprefix("test_").replace("_", " ")
    shown = " ".join(str(value) for value in parameters.values() if isinstance(value, str | int))
    return (f"{name}: {shown}" if shown else name), vendor


def main() -> int:
    """Run the suite and print the table."""
    results = Results()
    folder = str(Path(__file__).parent)
    code = pytest.main([folder, "-q", "--no-header", "--no-summary", "-p", "no:cacheprovider"], plugins=[results])
    for line in results.lines():
        sys.stdout.write(f"{line}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
