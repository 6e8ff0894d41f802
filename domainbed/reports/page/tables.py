"""What a report shows of a sweep, as tables with one row per observation."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from domainbed.files import FAILED
from domainbed.names import ALGORITHMS, DATASETS, in_table_order
from domainbed.reports import candidates
from domainbed.reports.aggregation import environment_names
from domainbed.reports.records import RunRecords, training_seconds
from domainbed.reports.selection import SelectionMethod, select

WINDOW = ("gga_start", "gga_end")
CONFIDENCE = 0.95


def selected_runs(frame: pd.DataFrame, method: type[SelectionMethod]) -> pd.DataFrame:
    """The run that a selection method chooses for every dataset, algorithm, environment held out, and trial.

    Args:
        frame: from `domainbed.reports.load`.

    Returns:
        Columns: dataset, algorithm, environment, trial, validation and test (accuracies in %), hparams_seed, hparams.
    """
    chosen = select(frame, method)
    single = frame[frame["test_envs"].map(len) == 1]
    of_run = single.assign(test_env=single["test_envs"].map(min)).drop_duplicates(candidates.RUN)
    chosen = chosen.merge(of_run[[*candidates.RUN, "hparams"]], on=candidates.RUN)
    table = _with_environment(chosen, frame).assign(
        trial=chosen["trial_seed"], validation=100 * chosen["val_acc"], test=100 * chosen["test_acc"]
    )
    columns = ["dataset", "algorithm", "environment", "trial", "validation", "test", "hparams_seed", "hparams"]
    return in_order(table[columns])


def accuracies(chosen: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy over trials with the half-width of its 95 % t-interval, NaN for a single trial, in percent.

    Args:
        chosen: from `selected_runs`.

    Returns:
        Columns: dataset, algorithm, environment, mean, half_width, trials.
    """
    return _over_trials(chosen, ["dataset", "algorithm", "environment"])


def averages(chosen: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The mean over environments of the mean over trials, of algorithms that have every environment of a dataset, with
    the half-width of the 95 % t-interval of the trials' averages: of those trials that have every environment.

    Columns: dataset, algorithm, accuracy, half_width.
    """
    keys, counts = ["dataset", "algorithm"], {name: len(names) for name, names in environment_names(frame).items()}
    means = accuracies(chosen).groupby(keys, sort=False)["mean"]
    table = means.agg(accuracy="mean", environments="size").reset_index()
    of_trials = chosen.groupby([*keys, "trial"], sort=False)["test"].agg(test="mean", environments="size").reset_index()
    whole, trials = (rows[rows["environments"] == rows["dataset"].map(counts)] for rows in (table, of_trials))
    intervals = _over_trials(trials, keys)[[*keys, "half_width"]]
    return whole.drop(columns="environments").merge(intervals, on=keys, how="left")


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Accuracies at every step that was recorded: mean over the runs of an algorithm, in percent.

    Columns: dataset, algorithm, environment (held out), step, validation, test, runs.
    """
    every_record = _with_environment(candidates.training_domain_validation(frame), frame)
    every_record = every_record.sort_values(["test_env", "step"], kind="stable")
    means = every_record.groupby(["dataset", "algorithm", "environment", "step"], sort=False)
    table = means.agg(validation=("val_acc", "mean"), test=("test_acc", "mean"), runs=("test_acc", "size"))
    return in_order(table.assign(validation=100 * table["validation"], test=100 * table["test"]).reset_index())


def searches(frame: pd.DataFrame) -> pd.DataFrame:
    """What the searches did: means over runs of a record's means over the searches since the record before.

    They are at the last step at which these may have been: the record's, or the window's end where that is earlier.

    Columns: dataset, algorithm, step, gga_start and gga_end (the window), gga_sim_start, gga_sim_end, gga_accepted,
    gga_gradients, runs; last_step of any run on the dataset.
    """
    metrics = ["gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients"]
    searched = frame.reindex(columns=[*frame.columns.difference(metrics), *metrics]).dropna(subset="gga_sim_start")
    window = {
        name: pd.to_numeric(searched["hparams"].map(lambda hparams, name=name: hparams.get(name))) for name in WINDOW
    }
    step = searched["step"].clip(upper=window["gga_end"])
    table = (
        searched.assign(**window, step=step)
        .groupby(["dataset", "algorithm", "step"], sort=False)
        .agg(
            gga_start=("gga_start", "min"),
            gga_end=("gga_end", "max"),
            **{name: (name, "mean") for name in metrics},
            runs=("gga_sim_start", "size"),
        )
        .reset_index()
        .sort_values("step", kind="stable")
    )
    return in_order(table.assign(last_step=table["dataset"].map(frame.groupby("dataset")["step"].max())))


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
                "last_error": _last_line(run.path / FAILED) or _last_line(run.path / "err.txt"),
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


def _over_trials(observed: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Of the column test: mean, half_width of its 95 % t-interval (NaN of one trial), and trials, for each of keys."""
    groups = observed.groupby(keys, sort=False)["test"]
    frame = groups.agg(mean="mean", deviation=lambda x: x.std(ddof=1), trials="size").reset_index()
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(frame["trials"] - 1, 1))
    half_width = quantile * frame["deviation"] / np.sqrt(frame["trials"])
    return frame.assign(half_width=half_width.where(frame["trials"] > 1)).drop(columns="deviation")


def _with_environment(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    names = environment_names(frame)
    pairs = zip(table["dataset"], table["test_env"], strict=True)
    return table.assign(environment=[names[dataset][test_env] for dataset, test_env in pairs])


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")
