"""docs/measured-failures.md names tests that exist, for every weakness."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "measured-failures.md").read_text(encoding="utf-8")
WEAKNESSES = 17
OF_PIPELINES = 7
ONLY_MEASURED = {13}


def test_every_weakness_has_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, WEAKNESSES + 1))
    assert {int(number) for number, tests in rows if "::" not in tests} == ONLY_MEASURED
    of_pipelines = re.findall(r"^\| p(\d+) \|.*`tests/\S+::test_\w+` \|$", PAGE, re.MULTILINE)
    assert [int(number) for number in of_pipelines] == list(range(1, OF_PIPELINES + 1))


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)::(test_\w+)`", PAGE)
    assert named
    for file, test in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(async )?def {test}\(", source, re.MULTILINE), f"{file}::{test}"
