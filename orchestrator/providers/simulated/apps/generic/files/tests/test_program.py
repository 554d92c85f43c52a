"""The program from outside."""

import subprocess
import sys
from pathlib import Path

from generic_demo import NOTICE, Checklist, to_text


def test_text() -> None:
    checklist = Checklist()
    checklist.add("a")
    checklist.add("b")
    checklist.complete("a")
    assert to_text(checklist) == "[x] a\n[ ] b\n50% done\n"


def test_the_program_says_what_it_is() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "generic_demo"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    assert result.stdout.startswith(NOTICE)
    assert "simulated models" in NOTICE
