"""Print the result tables of a sweep, and write them beside it."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from domainbed.errors import InputError, nearest
from domainbed.files import whole_file
from domainbed.reports.aggregation import format_tables, summarize
from domainbed.reports.formats import FORMATS, WITH_FOOTER, Report
from domainbed.reports.frames import frame_of_runs, repeated
from domainbed.reports.grouping import merge_records, recursive_freeze, remove_key
from domainbed.reports.missing import footer
from domainbed.reports.published import join, names, side_by_side
from domainbed.reports.query import Q
from domainbed.reports.ranks import average_ranks, draw
from domainbed.reports.records import RunRecords, iterate_runs
from domainbed.reports.selection import METHODS_BY_FLAG, IIDAccuracySelectionMethod, SelectionMethod, select
from domainbed.reports.significance import compare, comparison_table, few_pairs, reading, without_pairs
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, or 2 for bad input."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.power and not args.baseline:
        parser.error("--power is of comparisons; name their --baseline")
    return exit_code(_collect, args)


def print_results_tables(records: Q, selection_method: type[SelectionMethod], latex: bool) -> None:
    """Print the tables of one selection method: one per dataset, then the averages."""
    print(format_tables(summarize(records, selection_method), latex), end="")


def _collect(args: argparse.Namespace) -> None:
    frame = _load(args)
    methods = [METHODS_BY_FLAG[name] for name in args.selection]
    report = Report(len(frame), [summarize(frame, method, args.ddof) for method in methods], [])
    for method, cells in zip(methods, report.cells, strict=True):
        report.footer += footer(frame, method, cells)
    if args.published:
        _add_published(report, frame, args)
    if args.baseline:
        _add_comparisons(report, frame, methods, args)
    suffix, write = FORMATS[args.format]
    text = write(report)
    print(text, end="")
    if args.format not in WITH_FOOTER:
        print("\n".join(report.footer), file=sys.stderr)
    if args.output is None and len(args.input_dir) == 1:
        _write(Path(args.input_dir[0]) / f"results.{suffix}", text)
    elif args.output not in (None, "-"):
        _write(Path(args.output), text)
    if args.csv:
        _write(Path(args.csv), FORMATS["csv"][1](Report(report.total, report.cells, [])))
    if args.ranks:
        draw(average_ranks(select(frame, methods[0])), Path(args.ranks))


def _add_published(report: Report, frame: pd.DataFrame, args: argparse.Namespace) -> None:
    joined = join(args.published, summarize(frame, IIDAccuracySelectionMethod, args.ddof))
    report.data["published"] = joined
    report.further += side_by_side(joined, latex=args.format == "latex")
    report.footer.append(f"Published and ours ({args.published}): {IIDAccuracySelectionMethod.name}; empty: not run")


def _add_comparisons(
    report: Report, frame: pd.DataFrame, methods: Sequence[type[SelectionMethod]], args: argparse.Namespace
) -> None:
    _only(frame, "algorithm", [args.baseline])
    found = {method.name: compare(select(frame, method), args.baseline) for method in methods}
    algorithms = frame["algorithm"].unique()
    report.footer += [
        f"{name}: {line}"
        for name, comparisons in found.items()
        for line in [*without_pairs(algorithms, comparisons, args.baseline), *few_pairs(comparisons)]
    ]
    found = {name: comparisons for name, comparisons in found.items() if len(comparisons)}
    if not found:
        raise InputError(f"no algorithm shares a dataset, test environment and trial with {args.baseline}")
    report.data["comparisons"] = pd.concat(found, names=["selection_method"]).reset_index("selection_method")
    latex = args.format == "latex"
    report.further += [comparison_table(comparisons, name, args.power, latex) for name, comparisons in found.items()]
    report.footer += reading(args.power)


def _load(args: argparse.Namespace) -> pd.DataFrame:
    """The records that the tables are made of."""
    states: dict[bool, list[str]] = {True: [], False: []}
    frame = frame_of_runs(_noting_states(iterate_runs(args.input_dir, args.strict), states))
    _report_states(states, args.only_complete)
    for line in repeated(frame):
        print(f"warning: one run in the tables, but {line}", file=sys.stderr)
    frame = frame[frame["complete"]] if args.only_complete else frame
    if frame.empty:
        raise InputError(f"no records under {', '.join(args.input_dir)}; a sweep has them in <run>/results.jsonl")
    for column, wanted in (("algorithm", args.algorithms), ("dataset", args.datasets)):
        frame = _only(frame, column, wanted)
    return frame.reset_index(drop=True)


def _only(frame: pd.DataFrame, column: str, wanted: Sequence[str] | None) -> pd.DataFrame:
    present = frame[column].unique()
    for name in wanted or []:
        if name not in present:
            raise InputError(f"no records of {name}{nearest(name, present)}")
    return frame[frame[column].isin(wanted)] if wanted else frame


def _noting_states(runs: Iterable[RunRecords], states: dict[bool, list[str]]) -> Iterator[RunRecords]:
    for run in runs:
        states[run.complete].append(run.path.name)
        yield run


def _report_states(states: dict[bool, list[str]], left_out: bool) -> None:
    complete, incomplete = states[True], states[False]
    treatment = "left out" if left_out else "their records are counted; --only_complete leaves them out"
    note = f" ({treatment}): {', '.join(incomplete)}" if incomplete else ""
    print(f"{len(complete)} runs complete, {len(incomplete)} incomplete{note}", file=sys.stderr)


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
    add(
        "--input_dir",
        nargs="+",
        default=["./sweep_output"],
        help="one sweep or several, each with one directory per run (default: ./sweep_output)",
    )
    add("--format", choices=FORMATS, default="text", help="of what is printed and written (default: %(default)s)")
    add("--latex", dest="format", action="store_const", const="latex", help="the same as --format latex")
    add(
        "--selection",
        nargs="+",
        choices=METHODS_BY_FLAG,
        default=["iid", "loo", "oracle"],
        help="the selection methods that tables are made for (default: iid loo oracle)",
    )
    add(
        "--auto_lr",
        dest="selection",
        action="store_const",
        const=["auto_lr"],
        help="select among the records of train_autolr, by its own method alone",
    )
    add("--algorithms", nargs="+", metavar="NAME", help="only these")
    add("--datasets", nargs="+", metavar="NAME", help="only these")
    add(
        "--output",
        metavar="PATH",
        help="write the tables here, not to results.txt (or .tex, ...) in the only input_dir; - only prints them",
    )
    add(
        "--csv",
        metavar="PATH",
        help="also write every cell, in percent, with its standard error and number of trials; "
        "environment Avg averages the trials that have all environments",
    )
    add("--published", choices=names(), help="these published results beside ours, and the differences")
    add(
        "--baseline",
        metavar="NAME",
        help="compare every algorithm with this one, paired over dataset, test environment and trial",
    )
    add("--power", action="store_true", help="with --baseline: how many trials a difference of one point needs")
    add(
        "--ranks",
        metavar="PATH",
        help="draw the critical-difference diagram of the first selection method, as the suffix says: .pdf, .png, .svg",
    )
    add("--only_complete", action="store_true", help="leave out runs that have not ended with the file done")
    add("--strict", action="store_true", help="stop at corrupt records instead of skipping them with a warning")
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
