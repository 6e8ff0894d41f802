"""Print the result tables of a sweep, and write them beside it."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from domainbed.errors import InputError
from domainbed.files import whole_file
from domainbed.reports.aggregation import Cell, cells_frame, format_tables, summarize, uneven_trials
from domainbed.reports.grouping import merge_records, recursive_freeze, remove_key
from domainbed.reports.query import Q
from domainbed.reports.records import RunRecords, load_runs, repeated
from domainbed.reports.selection import METHODS, IIDAutoLRAccuracySelectionMethod, SelectionMethod
from domainbed.reports.tables import format_mean, print_table
from domainbed.scripts.console import exit_code

__all__ = [
    "format_mean",
    "main",
    "merge_records",
    "print_results_tables",
    "print_table",
    "recursive_freeze",
    "remove_key",
]

LATEX_PREAMBLE = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{adjustbox}
\begin{document}
\section{Full DomainBed results}
% """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, or 2 for bad input."""
    return exit_code(_collect, _parser().parse_args(argv))


def print_results_tables(records: Q, selection_method: type[SelectionMethod], latex: bool) -> None:
    """Print the tables of one selection method: one per dataset, then the averages."""
    print(format_tables(summarize(records, selection_method), latex), end="")


def _collect(args: argparse.Namespace) -> None:
    runs = load_runs(args.input_dir)
    _report_incomplete(runs, args.only_complete)
    for line in repeated(runs):
        print(f"warning: one run in the tables, but {line}", file=sys.stderr)
    records = Q(record for run in runs if run.complete or not args.only_complete for record in run.records)
    if not records:
        raise InputError(f"no records under {args.input_dir}; a sweep has them in <run>/results.jsonl")
    tables = [summarize(records, method, args.ddof) for method in _methods(args.auto_lr)]
    text = _report(tables, len(records), args.latex)
    print(text, end="")
    for cells in tables:
        for line in uneven_trials(cells):
            print(line, file=sys.stderr)
    if args.output != "-":
        default = Path(args.input_dir) / ("results.tex" if args.latex else "results.txt")
        _write(Path(args.output) if args.output else default, text)
    if args.csv:
        frame = cells_frame(cell for cells in tables for cell in cells)
        _write(Path(args.csv), frame.to_csv(index=False, na_rep="nan"))


def _methods(auto_lr: bool) -> list[type[SelectionMethod]]:
    if auto_lr:
        return [IIDAutoLRAccuracySelectionMethod]
    return METHODS


def _report(tables: Iterable[Sequence[Cell]], total: int, latex: bool) -> str:
    parts = [f"{LATEX_PREAMBLE if latex else ''}Total records: {total}\n"]
    for cells in tables:
        if latex:
            parts.append(f"\n\\subsection{{Model selection: {cells[0].selection_method}}}\n")
        parts.append(format_tables(cells, latex))
    if latex:
        parts.append("\\end{document}\n")
    return "".join(parts)


def _report_incomplete(runs: Sequence[RunRecords], left_out: bool) -> None:
    incomplete = [run for run in runs if not run.complete]
    treatment = "left out" if left_out else "their records are counted; --only_complete leaves them out"
    note = f" ({treatment}): {', '.join(run.path.name for run in incomplete)}" if incomplete else ""
    print(f"{len(runs) - len(incomplete)} runs complete, {len(incomplete)} incomplete{note}", file=sys.stderr)


def _write(path: Path, text: str) -> None:
    try:
        with whole_file(path) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        advice = "--output PATH writes the tables elsewhere, --output - only prints them"
        raise InputError(f"cannot write {path}: {error.strerror}; {advice}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m domainbed.scripts.collect_results", description=__doc__)
    add = parser.add_argument
    add("--input_dir", default="./sweep_output", help="the sweep: one directory per run (default: %(default)s)")
    add("--latex", action="store_true", help="a LaTeX document, results.tex, instead of plain text, results.txt")
    add("--auto_lr", action="store_true", help="select among the records of train_autolr, by its own method alone")
    add("--output", metavar="PATH", help="write the tables here, not into input_dir; - only prints them")
    add(
        "--csv",
        metavar="PATH",
        help="also write every cell, in percent, with its standard error and number of trials; "
        "environment Avg averages the trials that have all environments",
    )
    add("--only_complete", action="store_true", help="leave out runs that have not ended with the file done")
    add(
        "--ddof",
        type=int,
        choices=[0, 1],
        default=0,
        help="of the standard deviation over trials: 0 divides by n, as DomainBed does, 1 by n - 1 (default: 0)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
