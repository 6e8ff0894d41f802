"""What each model selection method may choose from: the records of a frame with their validation accuracies.

Every function takes a frame as `frames.load` gives it and returns a row per candidate, in the order in which the first
of the best counts: `dataset`, `algorithm`, `test_env`, `trial_seed`, `hparams_seed`, `step`, `record` (the candidate's
place in the frame), `val_acc` and `test_acc` in [0, 1].
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from domainbed.reports.frames import environment_count, frame_of, records_of
from domainbed.reports.grouping import merge_records

CELL = ["dataset", "algorithm", "test_env", "trial_seed"]
"""What a group of runs shares of which selection chooses one."""

RUN = [*CELL, "hparams_seed"]


def training_domain_validation(frame: pd.DataFrame, test_key: str = "env{}_in_acc") -> pd.DataFrame:
    """Validated by the mean `out` accuracy of the training environments; those without an out split are left out."""
    parts = []
    for test_env, fields, rows in _alike(_with_one_test_environment(frame)):
        held_out = [f"env{env}_out_acc" for env in range(environment_count(fields)) if env != test_env]
        held_out = [name for name in held_out if name in fields]
        if held_out and test_key.format(test_env) in fields:
            accuracies = np.ascontiguousarray(rows[held_out].to_numpy())
            parts.append(_candidates(rows, accuracies.mean(axis=1), rows[test_key.format(test_env)]))
    return _in_order(parts).sort_values("record", kind="stable")


def auto_lr_validation(frame: pd.DataFrame) -> pd.DataFrame:
    """As `training_domain_validation`, for the model that train_autolr trained again on all the data."""
    return training_domain_validation(frame_of(merge_records(records_of(frame))), "fd_env{}_in_acc")


def oracle(frame: pd.DataFrame) -> pd.DataFrame:
    """The last record of every run, validated by the `out` accuracy of the test environment."""
    rows = _with_one_test_environment(frame).sort_values("step", kind="stable")
    parts = []
    for test_env, fields, last in _alike(rows.drop_duplicates(RUN, keep="last")):
        out, test = f"env{test_env}_out_acc", f"env{test_env}_in_acc"
        if {out, test} <= set(fields):
            parts.append(_candidates(last, last[out], last[test]))
    return _in_order(parts)


def leave_one_domain_out(frame: pd.DataFrame) -> pd.DataFrame:
    """Validated by the mean over training environments of the `in` accuracy on each, in the run that holds it out too.

    A step counts if exactly one record with the test environment alone and one with each training environment
    besides it are there; of several with the same pair the last is taken.
    """
    of_step = [*RUN, "step"]
    singles = _with_one_test_environment(frame).drop_duplicates(of_step, keep=False)
    pairs = frame[frame["test_envs"].map(len) == 2]
    of_pairs = dict(iter(pairs.groupby(pairs["test_envs"].map(frozenset), sort=False)))
    parts = []
    for test_env, fields, rows in _alike(singles):
        training = [env for env in range(environment_count(fields)) if env != test_env]
        total, complete = np.zeros(len(rows)), np.full(len(rows), bool(training))
        for env in training:
            of_pair = of_pairs.get(frozenset((test_env, env)), frame[:0]).assign(test_env=test_env)
            scores = of_pair.drop_duplicates(of_step, keep="last").set_index(of_step)[f"env{env}_in_acc"]
            found = scores.index.get_indexer(pd.MultiIndex.from_frame(rows[of_step]))
            complete &= found >= 0
            total += np.append(scores, np.nan)[found]
        kept = rows[complete]
        parts.append(_candidates(kept, total[complete] / max(len(training), 1), kept[f"env{test_env}_in_acc"]))
    return _in_order(parts).sort_values("step", kind="stable")


def best_of_runs(candidates: pd.DataFrame) -> pd.DataFrame:
    """The first of each run's candidates with the best `val_acc`; NaN is the worst."""
    return candidates.sort_values("val_acc", ascending=False, kind="stable").drop_duplicates(RUN)


def best_runs(candidates: pd.DataFrame) -> pd.DataFrame:
    """The best of `best_of_runs` in each cell and trial; of equals, the one with the larger hparams_seed."""
    by_seed = best_of_runs(candidates).sort_values("hparams_seed", ascending=False, kind="stable")
    chosen = by_seed.sort_values("val_acc", ascending=False, kind="stable").drop_duplicates(CELL)
    return chosen.sort_values(CELL, kind="stable").reset_index(drop=True)


def _with_one_test_environment(frame: pd.DataFrame) -> pd.DataFrame:
    single = frame[frame["test_envs"].map(len) == 1]
    return single.assign(test_env=single["test_envs"].map(lambda test_envs: test_envs[0]))


def _alike(rows: pd.DataFrame) -> Iterator[tuple[int, tuple[str, ...], pd.DataFrame]]:
    """(test environment, fields, rows) of rows that share both."""
    for _, alike in rows.groupby(["test_env", "fields"], sort=False):
        yield int(alike["test_env"].iloc[0]), alike["fields"].iloc[0], alike


def _candidates(rows: pd.DataFrame, val_acc: Iterable[float], test_acc: Iterable[float]) -> pd.DataFrame:
    return rows[[*RUN, "step"]].assign(record=rows.index, val_acc=val_acc, test_acc=test_acc)


def _in_order(parts: list[pd.DataFrame]) -> pd.DataFrame:
    names = [*RUN, "step", "record", "val_acc", "test_acc"]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
