"""Tables of sweeps/study.py: settings tried, runs, differences with their significance, agreement beside accuracy.

    python sweeps/study_tables.py --input_dir sweep_output/study --output_dir results/study

settings.csv: validation accuracy of every setting. runs.csv: every run of the chosen ones. over_erm.csv: each method
less ERM, for each dataset and for all. over_base.csv: each method with GGA less the method alone. agreement.csv: do
runs whose searches reached or gained more agreement of gradients gain more accuracy?
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from paired import sweep_runs
from scipy import stats
from study import BENCHMARKS

from domainbed.files import make_directory, whole_file
from domainbed.reports.significance import compare, holm
from domainbed.scripts.console import exit_code

ALL = "all"
RUN = ["dataset", "test_env", "trial"]


def chosen_settings(input_dir: Path) -> dict[str, dict[str, list[str]]]:
    """Dataset -> method -> settings, the chosen one first, of the datasets that are finished."""
    files = {dataset: input_dir / f"{dataset}.json" for dataset in BENCHMARKS}
    return {dataset: json.loads(file.read_text()) for dataset, file in files.items() if file.exists()}


def settings_table(input_dir: Path) -> pd.DataFrame:
    """A row per setting tried: dataset, method, setting, mean validation accuracy in trial 0, %."""
    rows = []
    for dataset, methods in chosen_settings(input_dir).items():
        for method, settings in methods.items():
            for setting in settings:
                runs = sweep_runs(input_dir / dataset / setting)
                validation = runs.loc[runs["trial"] == 0, "validation"].mean()
                rows.append({"dataset": dataset, "method": method, "setting": setting, "validation": validation})
    return pd.DataFrame(rows)


def runs_table(input_dir: Path) -> pd.DataFrame:
    """A row per run of a chosen setting: what `paired.sweep_runs` has, dataset and method."""
    parts = [
        sweep_runs(input_dir / dataset / settings[0]).assign(dataset=dataset, method=method)
        for dataset, methods in chosen_settings(input_dir).items()
        for method, settings in methods.items()
    ]
    runs = pd.concat(parts, ignore_index=True)
    return runs[["dataset", "method", *runs.columns.drop(["dataset", "method", "algorithm"])]]


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
    """Spearman's rank correlation, over runs, of agreement and accuracy gained; 95 % bootstrap interval over runs.

    Each number is first taken relative to its mean over the runs with the same dataset and test environment: whether an
    environment is easy says nothing about the method.
    """
    rows = []
    for name, part in parts(agreement_runs(runs)).items():
        for measure in ("reached", "gained"):
            numbers = part[[measure, "over_base"]]
            centred = numbers - numbers.groupby([part["dataset"], part["test_env"]]).transform("mean")
            centred = centred.round(9)  # without which what is equal would have ranks of its own
            rows.append({"dataset": name, "measure": measure, "runs": len(part), **correlation(centred.to_numpy())})
    return pd.DataFrame(rows)


def correlation(pairs: np.ndarray) -> dict[str, float]:
    """Spearman's correlation of two columns with its percentile bootstrap interval."""
    x, y = pairs.T
    found = stats.bootstrap((x, y), spearman, paired=True, method="percentile", batch=500, random_state=0)
    low, high = found.confidence_interval
    return {"correlation": float(spearman(x, y)), "low": low, "high": high}


def spearman(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman's rank correlation along an axis."""
    x, y = (stats.rankdata(values, axis=axis) for values in (x, y))
    x, y = (values - values.mean(axis=axis, keepdims=True) for values in (x, y))
    return (x * y).sum(axis=axis) / np.sqrt((x**2).sum(axis=axis) * (y**2).sum(axis=axis))


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
        with whole_file(args.output_dir / f"{name}.csv") as file:
            file.write(table.to_csv(index=False, float_format="%.6g").encode())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", type=Path, default="sweep_output/study", help="the runs of sweeps/study.py")
    parser.add_argument("--output_dir", type=Path, default="results/study", help="where the CSV files go")
    return exit_code(write_tables, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
