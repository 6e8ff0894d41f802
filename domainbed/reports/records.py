"""Records on disk (results.jsonl, one JSON object per evaluation) and in memory.

NaN and infinity are written as Python's json writes them, `NaN` and `Infinity`: not standard JSON, but what DomainBed
writes and reads.
"""

import itertools
import json
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.files import is_done, whole_file
from domainbed.reports.query import Q

Record = dict[str, Any]


@dataclass(frozen=True)
class RunRecords:
    """One job directory of a sweep: its records, and whether it ended with the file `done`."""

    path: Path
    records: list[Record]
    complete: bool


def append_record(path: str | Path, record: Record) -> None:
    """Add one line to the file and return once it is on disk. Values must be plain Python."""
    line = _line(record)
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def write_records(path: str | Path, records: Iterable[Record]) -> None:
    """Replace the file by these records, whole or not at all."""
    text = "".join(map(_line, records))
    with whole_file(Path(path)) as file:
        file.write(text.encode("utf-8"))


def read_records(path: str | Path) -> list[Record]:
    """The records of a file. Of those that share their step (and their stage, of the two of train_autolr, which differ
    in their holdout_fraction in DomainBed's files) the last is kept, in the place of the first.

    A last line that was cut short, as a killed run leaves it, is skipped with a warning.

    Raises:
        InputError: another line is not a record.
        OSError: the file cannot be read.
    """
    lines = Path(path).read_bytes().rstrip().splitlines()
    records: dict[Any, Record] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = _parse(line)
        except ValueError as error:
            if number < len(lines):
                raise InputError(f"{path}, line {number} is not a record: {error}; mend or delete the line") from None
            warnings.warn(f"{path}: the last line is cut short and was skipped", stacklevel=2)
        else:
            records[record["step"], record["args"].get("holdout_fraction"), record.get("stage")] = record
    return list(records.values())


def load_runs(sweep_dir: str | Path) -> list[RunRecords]:
    """Every job directory of a sweep, sorted by name; hidden ones, being deleted, are none. Those without records are
    named in one warning.

    Raises:
        InputError: no such directory, or a corrupt file in it.
    """
    sweep_dir = Path(sweep_dir)
    if not sweep_dir.is_dir():
        raise InputError(f"{sweep_dir} is not a directory; it should hold a sweep, one directory per run")
    runs, skipped = [], []
    for path in sorted(path for path in sweep_dir.glob("[!.]*") if path.is_dir()):
        records, reason = [], "empty"
        try:
            records = read_records(path / "results.jsonl")
        except OSError as error:
            reason = str(error.strerror)
        if not records:
            skipped.append(f"{path.name} ({reason})")
        runs.append(RunRecords(path, records, is_done(path)))
    if skipped:
        warnings.warn(f"{sweep_dir}: no records in {', '.join(skipped)}", stacklevel=2)
    return runs


def load_records(path: str | Path) -> Q:
    """The records of every run of a sweep, finished or not; as `load_runs`."""
    return Q(record for run in load_runs(path) for record in run.records)


def repeated(runs: Iterable[RunRecords]) -> list[str]:
    """A line for each run that several directories of a sweep hold, with other flags: tables take them for one."""
    names = "dataset", "algorithm", "test_envs", "trial_seed", "hparams_seed"
    directories: dict[str, list[str]] = {}
    for run in runs:
        if run.records:
            key = ", ".join(f"{name} {run.records[0]['args'][name]}" for name in names)
            directories.setdefault(key, []).append(str(run.path))
    return [f"{key}: in {' and '.join(paths)}" for key, paths in directories.items() if len(paths) > 1]


def num_environments(record: Record) -> int:
    """The number of environments that the run evaluated."""
    return next(count for count in itertools.count() if f"env{count}_in_acc" not in record)


def _line(record: Record) -> str:
    return json.dumps(record, sort_keys=True) + "\n"


def _parse(line: bytes) -> Record:
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not (isinstance(record, dict) and "step" in record and isinstance(record.get("args"), dict)):
        raise ValueError("no object with step and args")
    return record
