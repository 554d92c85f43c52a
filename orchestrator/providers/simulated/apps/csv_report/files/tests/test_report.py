"""The whole program, from a CSV file to the report."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from csv_report.cli import main
from csv_report.render import format_number

SALES = """\
region,amount
North,120.50
South,80.25
North,-20.50
South,
a|b,1
"""


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text(SALES, encoding="utf-8")
    return path


def test_markdown(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sales), "--group-by", "region", "--value", "amount"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "# amount by region",
        "",
        "| region | count | missing | total | mean | min | max |",
        "|---|---:|---:|---:|---:|---:|---:|",
        "| North | 2 | 0 | 100 | 50 | -20.5 | 120.5 |",
        "| South | 1 | 1 | 80.25 | 80.25 | 80.25 | 80.25 |",
        "| a\\|b | 1 | 0 | 1 | 1 | 1 | 1 |",
        "| **all** | 4 | 1 | 181.25 | 45.31 | -20.5 | 120.5 |",
    ]


def test_json_into_a_file(sales: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    arguments = [str(sales), "--group-by", "region", "--value", "amount"]
    assert main([*arguments, "--format", "json", "--output", str(output)]) == 0
    report = json.loads(output.read_text(encoding="utf-8"))
    assert report["groups"]["South"] == {
        "count": 1,
        "missing": 1,
        "total": "80.25",
        "mean": "80.25",
        "min": "80.25",
        "max": "80.25",
    }
    assert report["all"]["total"] == "181.25"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("2.5", "2.5"),
        ("100", "100"),
        ("0.005", "0.01"),
        ("-0.001", "0"),
        ("1E+3", "1000"),
    ],
)
def test_numbers_are_short(number: str, text: str) -> None:
    assert format_number(Decimal(number)) == text
    assert format_number(None) == "-"


def test_errors_go_to_stderr_with_exit_code_1(
    sales: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--group-by", "region", "--value", "size"]
    assert main([str(sales), *options]) == 1
    assert main([str(tmp_path / "none.csv"), *options]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "there is no column 'size'" in captured.err
    assert "none.csv" in captured.err


def test_the_module_runs_as_a_program(sales: Path) -> None:
    command = [sys.executable, "-m", "csv_report", str(sales)]
    result = subprocess.run(
        [*command, "--group-by", "region", "--value", "amount"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    assert result.stdout.startswith("# amount by region\n")


def test_a_delimiter_is_one_character(sales: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(sales), "--group-by", "a", "--value", "b", "--delimiter", ";;"])
    assert caught.value.code == 2
