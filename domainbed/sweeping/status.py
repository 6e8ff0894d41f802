"""How far the jobs of a sweep are, read from its directory alone."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.reports.records import present_records_file
from domainbed.running import failure, lock
from domainbed.sweeping.grids import LAUNCHES, launched_jobs

DONE, RUNNING, FAILED, WAITING, STALE = STATES = ("done", "running", "failed", "waiting", "stale")
TAIL_BYTES = 2**16  # of results.jsonl; the last record lies in them
JOB_NAME = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class JobStatus:
    """A job as its directory shows it.

    Attributes:
        output_dir: of the job.
        state: DONE; RUNNING, while a process holds its lock; FAILED, if its last attempt ended with an error; STALE, if
            it was killed or interrupted; WAITING, if there was none.
        args: of the run; {} where neither a recorded launch nor a record tells them.
        steps: of the whole run; None if unknown.
        step: of the last record; None before the first, and for a run that is done.
        step_time: seconds for each step since the record before it.
        error: the line with which the run failed.
    """

    output_dir: str
    state: str
    args: dict[str, Any]
    steps: int | None = None
    step: int | None = None
    step_time: float | None = None
    error: str | None = None

    @property
    def steps_left(self) -> int | None:
        """The steps that are not trained yet; None if unknown."""
        if self.state == DONE or self.steps is None:
            return 0 if self.state == DONE else None
        return self.steps - (0 if self.step is None else self.step + 1)


def job_statuses(output_dir: str | Path) -> Iterator[JobStatus]:
    """Every job in a directory, and in those inside it into which a sweep was launched, sorted by name.

    Raises:
        InputError: no such directory, or its record of launches is corrupt.
    """
    directory = Path(output_dir)
    if not directory.is_dir():
        raise InputError(f"{directory} is not a directory; it should hold a sweep, one directory per run")
    launched = launched_jobs(directory)
    for name in sorted(name for name in os.listdir(directory) if not name.startswith(".")):  # a dot: being deleted
        path = os.path.join(directory, name)
        try:
            files = os.listdir(path)
        except (NotADirectoryError, FileNotFoundError):  # another file of the sweep; a job that is being deleted
            continue
        if LAUNCHES in files:
            yield from job_statuses(path)
        elif name in launched or JOB_NAME.fullmatch(name) or "results.jsonl" in files:
            yield _job_status(path, files, *launched.get(name, ({}, None)))


def _job_status(path: str, files: list[str], args: dict[str, Any], steps: int | None) -> JobStatus:
    args, state = args or _first_args(path), _state(path, files)
    last = last_record(path) if state != DONE else {}
    error = failure.last_error(path) if state == FAILED else None
    return JobStatus(path, state, args, steps or args.get("steps"), last.get("step"), last.get("step_time"), error)


def _state(path: str, files: list[str]) -> str:
    if "done" in files:
        return DONE
    if lock.is_live(path):
        return RUNNING
    if os.path.exists(os.path.join(path, "done")):  # by now: it was running when its files were listed
        return DONE
    if failure.FAILED in files:
        return FAILED
    return STALE if files else WAITING


def _first_args(path: str) -> dict[str, Any]:
    try:
        with open(present_records_file(path), "rb") as file:
            return _record(file.readline()).get("args", {})
    except FileNotFoundError:
        return {}


def last_record(path: str) -> dict[str, Any]:
    """The last whole record of a job, {} if there is none; a run may be writing the next."""
    try:
        with open(present_records_file(path), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    return next((record for line in reversed(lines) if (record := _record(line))), {})


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
