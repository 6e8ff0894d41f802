"""A report on a sweep in the formats of `collect_results --format`."""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from domainbed.errors import InputError
from domainbed.reports.aggregation import Cell, Table, cells_frame, format_one, tables_of

LATEX_PREAMBLE = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{adjustbox}
\begin{document}
\section{Full DomainBed results}
% """


@dataclass
class Report:
    """What a sweep's report says.

    `cells` has a list for each selection method. `further` are tables after those of the methods, by the name under
    which `data` has their numbers.
    """

    total: int
    cells: list[list[Cell]]
    footer: list[str]
    further: list[Table] = field(default_factory=list)
    data: dict[str, pd.DataFrame] = field(default_factory=dict)

    def methods(self, latex: bool = False) -> list[tuple[str, list[Table]]]:
        """(name of a selection method, its tables)"""
        return [(cells[0].selection_method, tables_of(cells, latex)) for cells in self.cells]

    def frame(self) -> pd.DataFrame:
        """Every cell of every selection method."""
        return cells_frame(cell for cells in self.cells for cell in cells)


def text(report: Report) -> str:
    """As DomainBed prints it, without the footer."""
    tables = [*(table for _, tables in report.methods() for table in tables), *report.further]
    return f"Total records: {report.total}\n" + "".join(format_one(table, latex=False) for table in tables)


def latex(report: Report) -> str:
    """A document as DomainBed's, without the footer."""
    parts = [f"{LATEX_PREAMBLE}Total records: {report.total}\n"]
    for name, tables in report.methods(latex=True):
        parts.append(f"\n\\subsection{{Model selection: {name}}}\n")
        parts += [format_one(table, latex=True) for table in tables]
    parts += [format_one(table, latex=True) for table in report.further]
    return "".join([*parts, "\\end{document}\n"])


def markdown(report: Report) -> str:
    """Tables in Markdown, the footer as a list."""
    parts = [f"Total records: {report.total}\n"]
    for table in _all(report):
        rows = [list(table.texts.columns), ["---"] * table.texts.shape[1], *table.texts.to_numpy().tolist()]
        lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
        parts.append(f"\n**{table.title}**\n\n{''.join(lines)}")
    return "".join([*parts, "\n", *(f"- {line}\n" for line in report.footer)])


def csv(report: Report) -> str:
    """One table: that of `data` if there is one, otherwise the cells.

    Raises:
        InputError: `data` has several.
    """
    if len(report.data) > 1:
        raise InputError(f"a CSV file holds one table, not {' and '.join(report.data)}; --format json holds them all")
    frame = next(iter(report.data.values()), report.frame())
    return frame.to_csv(index=False, na_rep="nan")


def as_json(report: Report) -> str:
    """An object with `total_records`, `cells`, `footer`, and what `data` has; null for what is missing."""
    tables = {
        name: frame.astype(object).where(frame.notna(), None).to_dict("records")
        for name, frame in {"cells": report.frame(), **report.data}.items()
    }
    return json.dumps({"total_records": report.total, **tables, "footer": report.footer}, indent=2) + "\n"


def as_html(report: Report) -> str:
    """A page with the tables and the footer."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Results</title></head>\n<body>\n'
        f"<p>Total records: {report.total}</p>\n"
    ]
    with pd.option_context("display.max_colwidth", None):  # cut nothing
        for table in _all(report):
            parts.append(f"<h2>{html.escape(table.title)}</h2>\n{table.texts.to_html(index=False, border=0)}\n")
    lines = "".join(f"<li>{html.escape(line)}</li>\n" for line in report.footer)
    return "".join([*parts, f"<ul>\n{lines}</ul>\n</body>\n</html>\n"])


FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "text": ("txt", text),
    "latex": ("tex", latex),
    "markdown": ("md", markdown),
    "csv": ("csv", csv),
    "json": ("json", as_json),
    "html": ("html", as_html),
}
"""name -> (suffix of its files, writer)"""

WITH_FOOTER = ("markdown", "json", "html")


def _all(report: Report) -> Sequence[Table]:
    return [*(table for _, tables in report.methods() for table in tables), *report.further]
