"""Records on disk (results.jsonl, one JSON object per evaluation) and in memory.

NaN and infinity are written as Python's json writes them, `NaN` and `Infinity`: not standard JSON, but what DomainBed
writes and reads.
"""

import itertools
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.files import is_done, whole_file
from domainbed.reports.query import Q

Record = dict[str, Any]


class Result(Record):
    """A record of other weights than those in training, of which the records before it are."""


PLACES = {"algorithm", "dataset", "test_envs", "trial_seed", "hparams_seed"}
"""The arguments that place a record in a table."""


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


def read_records(path: str | Path, strict: bool = True) -> list[Record]:
    """The records of a file. Of those that share their step (and their stage, of the two of train_autolr, which differ
    in their holdout_fraction in DomainBed's files) the last is kept, in the place of the first.

    A last line that was cut short, as a killed run leaves it, is skipped with a warning.

    Args:
        path: of results.jsonl.
        strict: a corrupt line before the last is an error; otherwise such lines are skipped with one warning.

    Raises:
        InputError: a corrupt line, if strict.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        lines = file.read().rstrip().splitlines()
    records: dict[Any, Record] = {}
    corrupt = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = _parse(line)
        except (ValueError, RecursionError) as error:
            corrupt[number] = str(error)
        else:
            records[record["step"], record["args"].get("holdout_fraction"), record.get("stage")] = record
    if corrupt.pop(len(lines), None):
        warnings.warn(f"{path}: the last line is cut short and was skipped", stacklevel=2)
    if corrupt:
        number, reason = next(iter(corrupt.items()))
        if strict:
            raise InputError(f"{path}, line {number} is not a record: {reason}; mend or delete the line")
        others = f" (and {len(corrupt) - 1} more)" if len(corrupt) > 1 else ""
        warnings.warn(f"{path}: line {number}{others} is not a record and was skipped: {reason}", stacklevel=2)
    return list(records.values())


def records_file(output_dir: str | Path, reports_last: bool = False) -> Path:
    """Where a run's records are; of one that reports its last alone, those that came before."""
    return Path(output_dir, "progress" if reports_last else "", "results.jsonl")


def present_records_file(output_dir: str | Path) -> Path:
    """A run's records_file; of one that reports its last alone and has not yet, that of the records before."""
    path = records_file(output_dir)
    return path if path.exists() else records_file(output_dir, reports_last=True)


def training_seconds(records: Iterable[Record]) -> float:
    """The time that the updates up to the last record took, data loading included, evaluations not."""
    before, seconds = -1, 0.0
    for record in sorted(records, key=lambda record: record["step"]):
        seconds += record.get("step_time", 0.0) * (record["step"] - before)
        before = record["step"]
    return seconds


def iterate_runs(sweep_dirs: str | Path | Iterable[str | Path], strict: bool = False) -> Iterator[RunRecords]:
    """The job directories of one sweep or of several, as `load_runs` has them, one at a time."""
    if isinstance(sweep_dirs, (str, Path)):
        sweep_dirs = [sweep_dirs]
    for sweep_dir in dict.fromkeys(map(Path, sweep_dirs)):
        yield from _runs_of(sweep_dir, strict)


def load_runs(sweep_dir: str | Path, strict: bool = False) -> list[RunRecords]:
    """Every job directory of a sweep, sorted by name; hidden ones, being deleted, are none. Those without records are
    named in one warning.

    Records that lack an argument which tables need, as those of another version may, are skipped with a warning.

    Args:
        sweep_dir: holds one directory per run.
        strict: corrupt lines, and records that tables cannot place, are errors instead of warnings.

    Raises:
        InputError: no such directory; if strict, a corrupt file in it.
    """
    return list(iterate_runs(sweep_dir, strict))


def load_records(path: str | Path, strict: bool = False) -> Q:
    """The records of every run of a sweep, finished or not; as `load_runs`."""
    return Q(record for run in iterate_runs(path, strict) for record in run.records)


def _runs_of(sweep_dir: Path, strict: bool) -> Iterator[RunRecords]:
    if not sweep_dir.is_dir():
        raise InputError(f"{sweep_dir} is not a directory; it should hold a sweep, one directory per run")
    with os.scandir(sweep_dir) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    skipped = []
    for name in names:
        path, records, reason = sweep_dir / name, [], "empty"
        try:
            records = _placeable(f"{path}/results.jsonl", strict)
        except OSError as error:
            before = records_file(path, reports_last=True).exists()
            reason = "its record comes at its end" if before else str(error.strerror)
        if not records:
            skipped.append(f"{name} ({reason})")
        yield RunRecords(path, records, is_done(path))
    if skipped:
        warnings.warn(f"{sweep_dir}: no records in {', '.join(skipped)}", stacklevel=2)


def _placeable(path: str, strict: bool) -> list[Record]:
    """The records of a file that have the arguments by which tables place them."""
    records = read_records(path, strict)
    placeable = [record for record in records if record["args"].keys() >= PLACES]
    if len(placeable) < len(records):
        lacking = next(PLACES - record["args"].keys() for record in records if not record["args"].keys() >= PLACES)
        names = ", ".join(sorted(lacking))
        message = f"{path}: the args of {len(records) - len(placeable)} records lack {names}; of another version?"
        if strict:
            raise InputError(message)
        warnings.warn(f"{message} Skipped.", stacklevel=2)
    return placeable


def in_training(run: RunRecords) -> RunRecords:
    """The run with the records of its weights in training: of one that reports its last alone, those that came before.

    Corrupt lines, and records that tables cannot place, are skipped with a warning.
    """
    progress = records_file(run.path, reports_last=True)
    return replace(run, records=_placeable(str(progress), strict=False)) if progress.exists() else run


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
