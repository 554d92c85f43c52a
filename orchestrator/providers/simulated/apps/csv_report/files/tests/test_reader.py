"""Reading CSV files."""

from pathlib import Path

import pytest

from csv_report.reader import ReportError, read_table


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "data.csv"
    path.write_text(text, encoding=encoding, newline="")
    return path


def test_header_and_rows(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a, b\n1,x\n\n2, y \n"))
    assert table.columns == ("a", "b")
    assert table.rows == ({"a": "1", "b": "x"}, {"a": "2", "b": "y"})


def test_quotes_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    text = 'name,note\r\nZoë,"one, two\nthree"\r\n'
    table = read_table(write(tmp_path, text, "utf-8-sig"))
    assert table.rows == ({"name": "Zoë", "note": "one, two\nthree"},)


def test_another_delimiter(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a;b\n1;2\n"), ";").rows == (
        {"a": "1", "b": "2"},
    )


def test_only_a_header_is_an_empty_table(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a,b\n")).rows == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a,a\n1,2\n", "same name"),
        ("a,b\n1\n", "line 2: 1 fields instead of 2"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 fields instead of 2"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        read_table(write(tmp_path, text))
