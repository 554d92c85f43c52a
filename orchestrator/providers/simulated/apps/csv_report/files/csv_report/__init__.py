"""Reports from CSV files.

Written by simulated models.
"""

from csv_report.aggregate import Figures, Report, aggregate
from csv_report.reader import ReportError, Table, read_table
from csv_report.render import to_json, to_markdown

__all__ = [
    "Figures",
    "Report",
    "ReportError",
    "Table",
    "aggregate",
    "read_table",
    "to_json",
    "to_markdown",
]
