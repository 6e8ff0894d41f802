"""What a report shows of a sweep, as tables with one row per observation."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from domainbed.names import ALGORITHMS, DATASETS, in_table_order
from domainbed.reports.aggregation import environment_names
from domainbed.reports.grouping import get_grouped_records
from domainbed.reports.query import Q
from domainbed.reports.records import Record, RunRecords, training_seconds
from domainbed.reports.selection import IIDAccuracySelectionMethod, SelectionMethod, get_test_records

CONFIDENCE = 0.95


def selected_runs(records: Q, method: type[SelectionMethod]) -> pd.DataFrame:
    """The run that a selection method chooses for every dataset, algorithm, environment held out, and trial.

    Columns: dataset, algorithm, environment, trial, validation and test (accuracies in %), hparams_seed, hparams.
    """
    names = environment_names(records)
    rows = []
    for group in get_grouped_records(records):
        ranked = method.hparams_accs(group["records"])
        if not ranked:
            continue
        accuracies, run = ranked[0]
        rows.append(
            {
                "dataset": group["dataset"],
                "algorithm": group["algorithm"],
                "environment": names[group["dataset"]][group["test_env"]],
                "trial": group["trial_seed"],
                "validation": 100 * accuracies["val_acc"],
                "test": 100 * accuracies["test_acc"],
                "hparams_seed": run[0]["args"]["hparams_seed"],
                "hparams": run[0]["hparams"],
            }
        )
    columns = ["dataset", "algorithm", "environment", "trial", "validation", "test", "hparams_seed", "hparams"]
    return in_order(pd.DataFrame(rows, columns=columns))


def accuracies(chosen: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy over trials with the half-width of its 95 % t-interval, NaN for a single trial, in percent.

    Args:
        chosen: from `selected_runs`.

    Returns:
        Columns: dataset, algorithm, environment, mean, half_width, trials.
    """
    keys = ["dataset", "algorithm", "environment"]
    groups = chosen.groupby(keys, sort=False)["test"]
    frame = groups.agg(mean="mean", deviation=lambda x: x.std(ddof=1), trials="size").reset_index()
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(frame["trials"] - 1, 1))
    half_width = quantile * frame["deviation"] / np.sqrt(frame["trials"])
    return frame.assign(half_width=half_width.where(frame["trials"] > 1)).drop(columns="deviation")


def curves(records: Q) -> pd.DataFrame:
    """Accuracies at every step that was recorded: mean over the runs of an algorithm, in percent.

    Columns: dataset, algorithm, environment (held out), step, validation, test, runs.
    """
    names = environment_names(records)
    rows = []
    for record in get_test_records(records):
        accuracies = IIDAccuracySelectionMethod.run_acc(Q([record]))
        if accuracies:
            rows.append(
                _place(record, names)
                | {"validation": 100 * accuracies["val_acc"], "test": 100 * accuracies["test_acc"]}
            )
    columns = ["dataset", "algorithm", "test_env", "environment", "step", "validation", "test"]
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.sort_values(["test_env", "step"], kind="stable")
    means = frame.groupby(["dataset", "algorithm", "environment", "step"], sort=False)
    return in_order(
        means.agg(validation=("validation", "mean"), test=("test", "mean"), runs=("test", "size")).reset_index()
    )


def searches(records: Q) -> pd.DataFrame:
    """What the searches did, at every step that was recorded while there were any: means over runs.

    Columns: dataset, algorithm, step, gga_start and gga_end (the window), gga_sim_start, gga_sim_end, gga_accepted,
    gga_gradients, runs; last_step of any run on the dataset.
    """
    metrics = ["gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients"]
    rows = [
        {"dataset": record["args"]["dataset"], "algorithm": record["args"]["algorithm"], "step": record["step"]}
        | {name: record["hparams"].get(name) for name in ("gga_start", "gga_end")}
        | {name: record.get(name) for name in metrics}
        for record in records
        if "gga_sim_start" in record
    ]
    keys = ["dataset", "algorithm", "step"]
    frame = pd.DataFrame(rows, columns=[*keys, "gga_start", "gga_end", *metrics])
    aggregated = frame.groupby(keys, sort=False).agg(
        gga_start=("gga_start", "min"),
        gga_end=("gga_end", "max"),
        **{name: (name, "mean") for name in metrics},
        runs=("gga_sim_start", "size"),
    )
    last_steps = {dataset: max(group.select("step")) for dataset, group in records.group("args.dataset")}
    frame = aggregated.reset_index().sort_values("step", kind="stable")
    return in_order(frame.assign(last_step=frame["dataset"].map(last_steps)))


def costs(runs: Iterable[RunRecords]) -> pd.DataFrame:
    """Seconds that a run's updates took, the median over the complete runs of an algorithm.

    Columns: dataset, algorithm, seconds, seconds_per_step, runs.
    """
    rows = [
        {
            "dataset": run.records[0]["args"]["dataset"],
            "algorithm": run.records[0]["args"]["algorithm"],
            "seconds": training_seconds(run.records),
            "updates": run.records[-1]["step"] + 1,
        }
        for run in runs
        if run.complete and run.records
    ]
    frame = pd.DataFrame(rows, columns=["dataset", "algorithm", "seconds", "updates"])
    frame = frame.assign(seconds_per_step=frame["seconds"] / frame["updates"])
    groups = frame.groupby(["dataset", "algorithm"], sort=False)
    medians = groups.agg(
        seconds=("seconds", "median"), seconds_per_step=("seconds_per_step", "median"), runs=("seconds", "size")
    )
    return in_order(medians.reset_index())


def hparams_that_won(chosen: pd.DataFrame) -> pd.DataFrame:
    """Beside each chosen run, the hyperparameters that are not the same in all of them.

    Args:
        chosen: from `selected_runs`.
    """
    if chosen.empty:
        return chosen.drop(columns="hparams")
    values = pd.DataFrame(list(chosen["hparams"]), index=chosen.index).astype(object)
    varying = [name for name in values if values[name].map(repr).nunique() > 1]
    return pd.concat([chosen.drop(columns="hparams"), values[varying]], axis=1)


def unfinished(runs: Iterable[RunRecords]) -> pd.DataFrame:
    """Runs without the file `done`, with the last line of err.txt.

    Columns: directory, dataset, algorithm, test_envs, trial, last_step, last_error.
    """
    rows = []
    for run in runs:
        if run.complete:
            continue
        args: dict[str, Any] = run.records[0]["args"] if run.records else {}
        rows.append(
            {
                "directory": run.path.name,
                "dataset": args.get("dataset", ""),
                "algorithm": args.get("algorithm", ""),
                "test_envs": " ".join(map(str, args.get("test_envs", []))),
                "trial": args.get("trial_seed", ""),
                "last_step": run.records[-1]["step"] if run.records else "",
                "last_error": _last_line(run.path / "err.txt"),
            }
        )
    columns = ["directory", "dataset", "algorithm", "test_envs", "trial", "last_step", "last_error"]
    return pd.DataFrame(rows, columns=columns)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of the result tables: by dataset, then by algorithm."""
    datasets = in_table_order(frame["dataset"].unique(), DATASETS)
    algorithms = in_table_order(frame["algorithm"].unique(), ALGORITHMS)
    place = frame["dataset"].map(datasets.index) * len(algorithms) + frame["algorithm"].map(algorithms.index)
    return frame.iloc[place.argsort(kind="stable")].reset_index(drop=True) if len(frame) else frame


def _place(record: Record, names: dict[str, list[str]]) -> dict[str, Any]:
    args = record["args"]
    return {
        "dataset": args["dataset"],
        "algorithm": args["algorithm"],
        "test_env": args["test_envs"][0],
        "environment": names[args["dataset"]][args["test_envs"][0]],
        "step": record["step"],
    }


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")
