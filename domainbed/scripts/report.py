"""Write a report of sweeps as one HTML page that needs no network: tables, charts, cost, unfinished runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from domainbed.errors import InputError
from domainbed.files import whole_file
from domainbed.reports.page import page, paper_figures, title_of
from domainbed.reports.records import in_training, load_runs
from domainbed.scripts.console import exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, or 2 for bad input."""
    return exit_code(_report, _parser().parse_args(argv))


def _report(args: argparse.Namespace) -> None:
    runs = [run for directory in args.input_dir for run in load_runs(directory)]
    if not any(in_training(run).records for run in runs):
        raise InputError(
            f"no records under {', '.join(map(str, args.input_dir))}; a sweep has them in <run>/results.jsonl"
        )
    output = args.output or args.input_dir[0] / "report.html"
    text = page(runs, title_of(args.input_dir))
    try:
        with whole_file(output) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
        print(output)
        for path in paper_figures(runs, args.pdf) if args.pdf else []:
            print(path)
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}; choose another --output or --pdf") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m domainbed.scripts.report", description=__doc__)
    add = parser.add_argument
    add("--input_dir", type=Path, nargs="+", default=[Path("sweep_output")], metavar="DIR", help="the sweeps")
    add("--pdf", type=Path, metavar="DIR", help="also write figures for papers there")
    add("--output", type=Path, metavar="FILE", help="default: report.html in the first --input_dir")
    return parser


if __name__ == "__main__":
    sys.exit(main())
