"""List the hyperparameters that were tried for one algorithm, dataset and test environment, best first."""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from domainbed.errors import InputError
from domainbed.reports.grouping import get_grouped_records
from domainbed.reports.query import Q
from domainbed.reports.records import load_records
from domainbed.reports.selection import METHODS, SelectionMethod
from domainbed.scripts.console import exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0, or 2 for bad input."""
    return exit_code(_list, _parser().parse_args(argv))


def top_hparams(groups: Q, method: type[SelectionMethod]) -> list[dict[str, Any]]:
    """What was tried in each trial, best first.

    Args:
        groups: from `get_grouped_records`.
        method: gives the order.

    Returns:
        A dict with `model_selection`, `trial_seed`, `accuracies`, `hparams` and `output_dirs` for each hparams_seed.
    """
    return [
        {
            "model_selection": method.name,
            "trial_seed": group["trial_seed"],
            "accuracies": {name: float(value) for name, value in accuracies.items()},
            "hparams": _hparams(records),
            "output_dirs": list(records.select("args.output_dir").unique()),
        }
        for group in groups
        for accuracies, records in method.hparams_accs(group["records"])
    ]


def _hparams(records: Q) -> dict[str, Any]:
    distinct = records.select("hparams").unique()
    if len(distinct) > 1:
        directories = ", ".join(records.select("args.output_dir").unique())
        warnings.warn(f"runs with the same hparams_seed differ in their hparams: {directories}", stacklevel=2)
    return distinct[0]


def _list(args: argparse.Namespace) -> None:
    records = load_records(args.input_dir)
    wanted = args.dataset, args.algorithm, args.test_env
    groups = get_grouped_records(records).filter_equals("dataset,algorithm,test_env", wanted)
    if not groups:
        raise InputError(f"{args.input_dir} has no records of {args.algorithm} on {args.dataset}, test_env {wanted[2]}")
    entries = {method.name: top_hparams(groups, method) for method in METHODS}
    if args.json:
        print(json.dumps([entry for listed in entries.values() for entry in listed], indent=2))
    else:
        print(f"Total records: {len(records)}")
        for name, listed in entries.items():
            print(f"Model selection: {name}")
            _print_trials(groups, listed)


def _print_trials(groups: Q, entries: list[dict[str, Any]]) -> None:
    for trial_seed in groups.select("trial_seed"):
        print(f"trial_seed: {trial_seed}")
        for entry in entries:
            if entry["trial_seed"] == trial_seed:
                _print_entry(entry)


def _print_entry(entry: dict[str, Any]) -> None:
    print(f"\t{entry['accuracies']}\n\t\thparams:")
    for name, value in sorted(entry["hparams"].items()):
        print(f"\t\t\t{name}: {value}")
    print("\t\toutput_dirs:")
    for directory in entry["output_dirs"]:
        print(f"\t\t\t{directory}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m domainbed.scripts.list_top_hparams", description=__doc__)
    add = parser.add_argument
    add("--input_dir", default="./sweep_output", help="the sweep: one directory per run (default: %(default)s)")
    add("--dataset", required=True, help="name of the dataset, as in the records")
    add("--algorithm", required=True, help="name of the algorithm, as in the records")
    add("--test_env", required=True, type=int, help="index of the test environment")
    add("--json", action="store_true", help="print a JSON list instead of text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
