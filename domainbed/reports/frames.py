"""Records as a pandas DataFrame with one row per record, and back."""

from array import array
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from domainbed.reports.query import Q
from domainbed.reports.records import Record, RunRecords, iterate_runs, num_environments

OF_ARGS = ("algorithm", "dataset", "test_envs", "trial_seed", "hparams_seed")
"""The arguments that have a column of their own."""

NOT_RECORDED = ("run", "complete", *OF_ARGS, "fields")
"""The columns of a frame that are not fields of its records."""


def load(directories: str | Path | Iterable[str | Path], strict: bool = False) -> pd.DataFrame:
    """The records of one or several sweeps, one row per record, in the order of the directories and their runs.

    Columns: `run` (path of the job directory) and `complete` (it has the file `done`); `algorithm`, `dataset`,
    `test_envs` (a tuple), `trial_seed` and `hparams_seed`, of the arguments; `step` and every other field of the
    records, NaN where a record lacks it; `args` and `hparams`, dicts that the records of a run share; `fields`, the
    names of the fields that the record has.

    Args:
        directories: of sweeps, each with one directory per run.
        strict: see `records.load_runs`.

    Raises:
        InputError: no such directory; if strict, a corrupt file in it.
    """
    return frame_of_runs(iterate_runs(directories, strict))


def frame_of(records: Iterable[Record]) -> pd.DataFrame:
    """Records as `load` gives them, without `run` and `complete`."""
    return _frame(records)


def frame_of_runs(runs: Iterable[RunRecords]) -> pd.DataFrame:
    """The records of runs as `load` gives them. The runs' own records may be freed while the frame is made."""
    names, complete, counts = [], [], []

    def records() -> Iterable[Record]:
        for run in runs:
            names.append(str(run.path))
            complete.append(run.complete)
            counts.append(len(run.records))
            yield from run.records

    frame = _frame(records())
    frame.insert(0, "run", np.repeat(np.array(names, dtype=object), counts))
    frame.insert(1, "complete", np.repeat(np.array(complete, dtype=bool), counts))
    return frame


def records_of(frame: pd.DataFrame) -> Q:
    """The records that a frame was made of. Numbers come back as floats, `step` as it was."""
    columns = {name: frame[name].tolist() for name in frame.columns if name not in NOT_RECORDED}

    def record(row: int, fields: tuple[str, ...]) -> Record:
        given = [name for name in ("args", "hparams") if columns[name][row] is not None]
        return {name: columns[name][row] for name in (*fields, *given)}

    return Q(record(row, fields) for row, fields in enumerate(frame["fields"]))


def repeated(frame: pd.DataFrame) -> list[str]:
    """A line for each run that several directories of a sweep hold, with other flags: tables take them for one."""
    runs = frame.drop_duplicates("run")
    repetitions = runs[runs.duplicated(list(OF_ARGS), keep=False)]
    return [
        ", ".join(f"{name} {value}" for name, value in zip(OF_ARGS, key, strict=True)) + f": in {' and '.join(paths)}"
        for key, paths in repetitions.groupby(list(OF_ARGS), sort=False)["run"]
    ]


def environment_count(fields: Iterable[str]) -> int:
    """The number of environments that records with these fields evaluated."""
    return num_environments(dict.fromkeys(fields))


def _frame(records: Iterable[Record]) -> pd.DataFrame:
    """Without lists of records, so that no more than one run's need be in memory."""
    args, hparams = _Shared(), _Shared()
    groups: dict[tuple[str, ...], _SameFields] = {}
    names: tuple[str, ...] = ()
    row = -1
    for row, record in enumerate(records):
        args.append(record.get("args"))
        hparams.append(record.get("hparams"))
        if tuple(record) != names:
            names = tuple(record)
            group = groups.setdefault(names, _SameFields(names))
        group.append(row, record)
    columns: dict[str, np.ndarray] = {"step": np.full(row + 1, np.nan)}
    fields = np.empty(row + 1, dtype=object)
    for group in groups.values():
        group.fill(columns, fields)
    steps = columns.pop("step")
    return pd.DataFrame(
        {
            **{name: args.column(partial(_argument, name)) for name in OF_ARGS},
            "step": steps if np.isnan(steps).any() else steps.astype(int),
            **{name: pd.Series(column, dtype=column.dtype) for name, column in columns.items()},
            "args": args.column(lambda value: value),
            "hparams": hparams.column(lambda value: value),
            "fields": pd.Series(fields, dtype=object),
        }
    )


class _SameFields:
    """The values of the records that have the same fields."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(name for name in names if name not in ("args", "hparams"))
        self.rows = array("q")
        self.numbers = array("d")
        self.others: list[tuple[int, str, Any]] = []

    def append(self, row: int, record: Record) -> None:
        values = [record[name] for name in self.names]
        try:
            self.numbers.fromlist(values)
        except TypeError:
            others = [(row, name, value) for name, value in zip(self.names, values, strict=True) if not _number(value)]
            self.others += others
            self.numbers.fromlist([value if _number(value) else np.nan for value in values])
        self.rows.append(row)

    def fill(self, columns: dict[str, np.ndarray], fields: np.ndarray) -> None:
        """Put the values into their columns, which are made where they are missing."""
        rows = np.frombuffer(self.rows, dtype=np.int64)
        values = np.frombuffer(self.numbers).reshape(len(rows), len(self.names))
        for name, column in zip(self.names, values.T, strict=True):
            columns.setdefault(name, np.full(len(fields), np.nan))[rows] = column
        for row, name, value in self.others:
            if columns[name].dtype != object:
                columns[name] = columns[name].astype(object)
            columns[name][row] = value
        shared = np.empty(1, dtype=object)
        shared[0] = self.names
        fields[rows] = shared


class _Shared:
    """A column in which neighbours are often equal: one object stands for equal neighbours."""

    def __init__(self) -> None:
        self.distinct: list[Any] = []
        self.places = array("q")
        self.last: Any = None

    def append(self, value: Any) -> None:
        if not self.distinct or value != self.last:
            self.distinct.append(value)
            self.last = value
        self.places.append(len(self.distinct) - 1)

    def column(self, fn: Callable[[Any], Any]) -> pd.Series:
        """`fn(value)` in every row; values that are no numbers are objects."""
        mapped = np.empty(len(self.distinct), dtype=object)
        mapped[:] = [fn(value) for value in self.distinct]
        column = mapped[np.frombuffer(self.places, dtype=np.int64)] if len(self.places) else mapped
        return pd.Series(column, dtype=object).infer_objects()


def _argument(name: str, args: Any) -> Any:
    value = (args or {}).get(name)
    return tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> bool:
    return isinstance(value, (float, int))
