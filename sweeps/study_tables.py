"""Tables of sweeps/study.py: settings tried, runs, differences with their significance, agreement beside accuracy.

    python sweeps/study_tables.py --input_dir sweep_output/study --output_dir results/study

settings.csv: validation accuracy of every setting. runs.csv: every run of the chosen ones. over_erm.csv: each method
less ERM, for each dataset and for all. over_base.csv: each method with GGA less the method alone. agreement.csv: do
runs whose searches reached or gained more agreement of gradients gain more accuracy?
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from paired import sweep_runs
from scipy import stats
from study import BENCHMARKS

from domainbed.files import make_directory, whole_file
from domainbed.reports.records import read_records
from domainbed.reports.significance import compare, holm
from domainbed.scripts.console import exit_code

ALL = "all"
ENVIRONMENT = ["dataset", "test_env"]
RUN = [*ENVIRONMENT, "trial"]


def tried_settings(input_dir: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Dataset -> method -> setting, the chosen one first -> validation accuracy; of the datasets that are finished."""
    files = {dataset: input_dir / f"{dataset}.json" for dataset in BENCHMARKS}
    return {dataset: json.loads(file.read_text()) for dataset, file in files.items() if file.exists()}


def settings_table(input_dir: Path) -> pd.DataFrame:
    """A row per setting: dataset, method, setting, validation accuracy in trial 0 in percent, -inf if it diverged."""
    rows = [
        (dataset, method, setting, accuracy)
        for dataset, methods in tried_settings(input_dir).items()
        for method, settings in methods.items()
        for setting, accuracy in settings.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "method", "setting", "validation"])


def runs_table(input_dir: Path) -> pd.DataFrame:
    """A row per run of a chosen setting: what `paired.sweep_runs` has, dataset, method, and segments that SWAD took."""
    tables = []
    for dataset, methods in tried_settings(input_dir).items():
        for method, settings in methods.items():
            directory = input_dir / dataset / next(iter(settings))
            table = sweep_runs(directory).assign(dataset=dataset, method=method)
            if method.endswith("SWAD"):
                table["swad_segments"] = [segments(directory, *run) for run in table[["test_env", "trial"]].to_numpy()]
            tables.append(table)
    runs = pd.concat(tables, ignore_index=True)
    return runs[["dataset", "method", *runs.columns.drop(["dataset", "method", "algorithm"])]]


def segments(directory: Path, test_env: int, trial: int) -> float:
    """How many segments of training a SWAD run averaged."""
    (record,) = read_records(f"{directory}/{test_env}-{trial}/results.jsonl")
    return record["swad_segments"]


def base_of(method: str) -> str:
    """The method without GGA: ERM of GGA (walk), CORAL of CORAL_GGA, SWAD of GGA_SWAD."""
    return {"GGA_SWAD": "SWAD"}.get(method, method.removesuffix("_GGA") if method.endswith("_GGA") else "ERM")


def with_gga(runs: pd.DataFrame) -> list[str]:
    """The methods that search."""
    return [name for name in runs["method"].unique() if "GGA" in name and name != "GGA_L"]


def selected(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs as `significance.compare` takes them."""
    frame = runs.rename(columns={"trial": "trial_seed", "method": "algorithm"})
    return frame.assign(test_acc=frame["test"] / 100)


def parts(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The runs of each dataset, and all."""
    return {**dict(list(runs.groupby("dataset", sort=False))), ALL: runs}


def over_erm(runs: pd.DataFrame) -> pd.DataFrame:
    """`significance.compare` with ERM; p corrected for the methods of a dataset."""
    tables = [compare(selected(part), "ERM").assign(dataset=name) for name, part in parts(runs).items()]
    return pd.concat(tables, ignore_index=True)


def over_base(runs: pd.DataFrame) -> pd.DataFrame:
    """Each method with GGA compared with the method alone; p corrected for the methods of a dataset."""
    tables = []
    for name, part in parts(runs).items():
        pairs = [(method, base_of(method)) for method in with_gga(part)]
        rows = [compare(selected(part[part["method"].isin(pair)]), pair[1]) for pair in pairs]
        table = pd.concat(rows, ignore_index=True).assign(dataset=name)
        tables.append(table.assign(p_holm=holm(table["p"])))
    return pd.concat(tables, ignore_index=True)


def agreement_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per run that searched: `reached`, the smallest cosine between domain gradients after a search, `gained`,
    that less the one before, means over the window, and `over_base`, test accuracy less that of the base's run, points.
    """
    searched = runs[runs["method"].isin(with_gga(runs))].dropna(subset=["sim_start", "sim_end"])
    searched = searched.assign(base=searched["method"].map(base_of))
    bases = runs.rename(columns={"method": "base"})[[*RUN, "base", "test"]]
    pairs = searched.merge(bases, on=[*RUN, "base"], suffixes=("", "_base"))
    return pairs.assign(
        reached=pairs["sim_end"],
        gained=pairs["sim_end"] - pairs["sim_start"],
        over_base=pairs["test"] - pairs["test_base"],
    )


def agreement(runs: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation, over runs, of agreement and accuracy gained; for all datasets its 95 % interval.

    Both are taken relative to their means over the runs with the same dataset and test environment, since how hard an
    environment is says nothing of agreement; then also to those over the runs with the same method as well, which
    leaves what differs between the trials of a method.
    """
    rows = []
    for (name, part), measure, by in itertools.product(
        parts(agreement_runs(runs)).items(), ("reached", "gained"), (ENVIRONMENT, [*ENVIRONMENT, "method"])
    ):
        numbers = part[[measure, "over_base"]]
        centred = numbers - numbers.groupby([part[column] for column in by]).transform("mean")
        # Rounded, since what is equal would otherwise have ranks of its own.
        environments = [group.to_numpy() for _, group in centred.round(9).groupby([part[c] for c in ENVIRONMENT])]
        low, high = interval(environments) if name == ALL else (np.nan, np.nan)
        same = ", ".join(by[1:])
        correlation = spearman(*np.concatenate(environments).T)
        rows.append((name, measure, same, len(part), correlation, low, high))
    return pd.DataFrame(rows, columns=["dataset", "measure", "same", "runs", "correlation", "low", "high"])


def interval(environments: list[np.ndarray], resamples: int = 2000) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the correlation. Whole environments are resampled, as runs of one are not
    independent."""
    random = np.random.default_rng(0)
    draws = random.integers(0, len(environments), (resamples, len(environments)))
    found = [spearman(*np.concatenate([environments[n] for n in draw]).T) for draw in draws]
    found = [correlation for correlation in found if not np.isnan(correlation)] or [np.nan]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where x or y does not vary."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(stats.spearmanr(x, y).statistic)


def write_tables(args: argparse.Namespace) -> None:
    runs = runs_table(args.input_dir)
    tables = {
        "settings": settings_table(args.input_dir),
        "runs": runs,
        "over_erm": over_erm(runs),
        "over_base": over_base(runs),
        "agreement": agreement(runs),
    }
    make_directory(args.output_dir)
    for name, table in tables.items():
        # Runs in full: rounded, accuracies that are equal would differ.
        digits = None if name == "runs" else "%.6g"
        with whole_file(args.output_dir / f"{name}.csv") as file:
            file.write(table.to_csv(index=False, float_format=digits).encode())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", type=Path, default="sweep_output/study", help="the runs of sweeps/study.py")
    parser.add_argument("--output_dir", type=Path, default="results/study", help="where the CSV files go")
    return exit_code(write_tables, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
