"""A few sweeps on one dataset, run beside run: validation accuracy, to choose by, or what the chosen ones reached.

    python sweeps/paired.py --input_dirs SWEEP [SWEEP ...] --validation
    python sweeps/paired.py --input_dirs BASELINE SWEEP [SWEEP ...]

A sweep holds one algorithm with one setting, and is called by the name of its directory. The first command takes of
each run nothing but held-out images of the environments that it trained on. The second compares each sweep with the
first one: the difference in accuracy on the environment held out, over the pairs of runs that share test environment
and trial, hence splits and images; quote its interval over environments (docs/reading-results.md). --output_dir keeps
what is printed as CSV, and each run.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from scipy.stats import t

from domainbed.errors import InputError
from domainbed.files import make_directory, whole_file
from domainbed.reports.frames import frame_of_runs, repeated
from domainbed.reports.query import Q
from domainbed.reports.records import RunRecords, load_runs, training_seconds
from domainbed.reports.selection import IIDAccuracySelectionMethod
from domainbed.reports.significance import interval
from domainbed.scripts.console import exit_code

PAIR = ["test_env", "trial"]


def sweep_runs(directory: Path) -> pd.DataFrame:
    """A row for each run of a sweep, accuracies in percent by training-domain validation.

    Runs that have not ended are left out, which a line on stderr says.

    Raises:
        InputError: no run has ended, or two share test environment and trial.
    """
    found = load_runs(directory)
    runs = [run for run in found if run.complete]
    if not runs:
        raise InputError(f"no run in {directory} has ended; launch its sweep again")
    if len(runs) < len(found):
        print(f"{directory}: left out {len(found) - len(runs)} of {len(found)} runs, not ended", file=sys.stderr)
    rows = pd.DataFrame(row(run) for run in runs).sort_values(PAIR)
    if repeated(frame_of_runs(runs)) or rows.duplicated(PAIR).any():
        raise InputError(f"{directory} holds several runs of one test environment and trial; give each setting a sweep")
    return rows.assign(setting=directory.name)[["setting", *rows.columns]]


def row(run: RunRecords) -> dict[str, object]:
    """What a run reached at the step that validation chooses, and what its searches did, on average."""
    records, args = Q(run.records), run.records[0]["args"]
    accuracies = IIDAccuracySelectionMethod.run_acc(records)
    if accuracies is None:
        raise InputError(
            f"{run.path} has no validation accuracy of one test environment; sweep with --single_test_envs"
        )
    searched = records.filter(lambda record: "gga_sim_start" in record)
    sims = {name: searched.select(f"gga_{name}").mean() if searched else None for name in ("sim_start", "sim_end")}
    return {
        "algorithm": args["algorithm"],
        "test_env": args["test_envs"][0],
        "trial": args["trial_seed"],
        "step": next(at["step"] for at in records if IIDAccuracySelectionMethod.run_acc(Q([at])) == accuracies),
        "validation": 100 * accuracies["val_acc"],
        "test": 100 * accuracies["test_acc"],
        "seconds": training_seconds(run.records),
        **sims,
    }


def validation(runs: pd.DataFrame) -> pd.DataFrame:
    """Each setting's mean validation accuracy, the best first."""
    means = runs.groupby("setting", sort=False).agg(runs=("validation", "size"), validation=("validation", "mean"))
    return means.sort_values("validation", ascending=False, kind="stable").reset_index()


def accuracies(runs: pd.DataFrame) -> pd.DataFrame:
    """Each setting's test accuracy on each environment, and their average: mean over trials with its 95 % interval."""
    averages = runs.groupby(["setting", "trial"], sort=False)["test"].mean().reset_index().assign(environment="average")
    cells = pd.concat([runs.assign(environment=[f"env{index}" for index in runs["test_env"]]), averages])
    return intervals(cells, ["setting", "environment"], "test")


def differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of each setting less that of the first, over pairs of runs: mean with its 95 % intervals.

    `low` and `high` take all pairs to be independent; `environments_low` and `environments_high`, of the bootstrap over
    the environments' means, do not.
    """
    baseline = runs.loc[runs["setting"] == runs["setting"].iloc[0], [*PAIR, "test"]]
    pairs = runs[runs["setting"] != runs["setting"].iloc[0]].merge(baseline, on=PAIR, suffixes=("", "_baseline"))
    pairs["difference"] = pairs["test"] - pairs["test_baseline"]
    better = pairs["difference"].gt(0).groupby(pairs["setting"]).sum().rename("better")
    means = pairs.groupby(["setting", "test_env"])["difference"].mean().groupby(level="setting")
    of_means = pd.DataFrame({setting: interval(values) for setting, values in means}).T
    over_environments = of_means.set_axis(["environments_low", "environments_high"], axis=1)
    return intervals(pairs, ["setting"], "difference").join(better, on="setting").join(over_environments, on="setting")


def intervals(frame: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Per group the mean of a column, the 95 % interval of Student's t, and n; of one value no interval (NaN)."""
    rows = []
    for key, values in frame.groupby(by, sort=False)[column]:
        mean, half = values.mean(), values.sem() * t.ppf(0.975, len(values) - 1)
        rows.append([*key, mean, mean - half, mean + half, len(values)])
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n"])


def accuracy_table(cells: pd.DataFrame) -> str:
    half = (cells["high"] - cells["low"]) / 2
    text = [f"{mean:.1f}" + (f" ± {h:.1f}" if h == h else "") for mean, h in zip(cells["mean"], half, strict=True)]
    table = cells.assign(text=text).pivot(index="setting", columns="environment", values="text")
    return table.loc[cells["setting"].unique(), cells["environment"].unique()].to_string()


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dirs", type=Path, nargs="+", required=True, help="the output_dir of each sweep")
    parser.add_argument("--validation", action="store_true", help="validation accuracy alone, the best setting first")
    parser.add_argument("--output_dir", type=Path, help="where the CSV files go; default: nowhere")
    return parser


def compare(options: argparse.Namespace) -> None:
    runs = pd.concat([sweep_runs(directory) for directory in options.input_dirs], ignore_index=True)
    if options.validation:
        tables = {"validation": validation(runs)}
        print("\nAccuracy on held-out images of the training environments, %, mean over runs")
        print(tables["validation"].to_string(index=False, float_format="%.1f"))
    else:
        tables = {"runs": runs, "accuracies": accuracies(runs), "differences": differences(runs)}
        print("\nAccuracy on the environment held out, %, mean over trials with the half width of its 95 % interval")
        print(accuracy_table(tables["accuracies"]))
        print(
            f"\nDifference from {runs['setting'].iloc[0]}, points, with its 95 % intervals over pairs and environments"
        )
        print(tables["differences"].to_string(index=False, float_format="%.2f"))
    if options.output_dir:
        make_directory(options.output_dir)
        for name, table in tables.items():
            with whole_file(options.output_dir / f"{name}.csv") as file:
                file.write(table.to_csv(index=False, float_format="%.6g").encode())


def main(argv=None):
    return exit_code(compare, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
