"""docs/observability.md names what really exists: metrics, labels, attributes, log fields, variables."""

import re
from pathlib import Path

from orchestrator.settings.observation import NAMES
from orchestrator.telemetry.instruments import INSTRUMENTS, Kind

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \| ([\w., ]+) \|", section("Metrics of ours"), re.MULTILINE)
    assert rows == [(one.name, one.prometheus_name, ", ".join(one.labels)) for one in INSTRUMENTS]


def test_metrics_named_elsewhere_exist() -> None:
    known = {one.prometheus_name for one in INSTRUMENTS}
    known |= {f"{one.prometheus_name}_count" for one in INSTRUMENTS if one.kind is Kind.HISTOGRAM}
    assert set(re.findall(r"\b(?:orch|gen_ai)_[a-z_]+", section("What to look at"))) <= known


def test_attributes_of_spans_are_those_of_the_code() -> None:
    code = "".join((ROOT / "activities" / name).read_text() for name in ("observing.py", "run_telemetry.py"))
    written = set(re.findall(r'"((?:gen_ai|orch|http)\.[a-z_.]+)"', code)) - {"gen_ai.token.type"}
    documented = set(re.findall(r"`((?:gen_ai|orch|http)\.[a-z_.]+)`", section("Traces")))
    assert documented - {"gen_ai.token.type"} == written


def test_every_variable_is_documented() -> None:
    assert set(NAMES) <= set(re.findall(r"\b[A-Z_]{5,}\b", PAGE.split("\n## ", 1)[0]))
