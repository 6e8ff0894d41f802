"""How long the jobs of a sweep take, from the step times that runs in the same directory have recorded."""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from domainbed.errors import InputError
from domainbed.reports.records import present_records_file, read_records, training_seconds
from domainbed.sweeping.status import DONE, FAILED, JobStatus

SAMPLE = 20  # runs of a kind that are read: enough for a mean


class Kind(NamedTuple):
    """Runs that take about as long: an algorithm on a dataset, in the directory of one part of a sweep."""

    algorithm: str
    dataset: str
    directory: str


def kind(output_dir: str, args: dict[str, Any]) -> Kind:
    """That of a run's directory and arguments; "?" for what is unknown."""
    return Kind(args.get("algorithm", "?"), args.get("dataset", "?"), str(Path(output_dir).parent))


def step_times(jobs: Iterable[JobStatus]) -> dict[Kind, float]:
    """Seconds of training per step, the loading of data included and evaluations not, by their kind.

    The mean over runs that are done; where none is, over those that have begun, which may yet get to what is slow.
    """
    runs: dict[Kind, list[JobStatus]] = defaultdict(list)
    for job in jobs:
        if job.state == DONE or job.step is not None:
            runs[kind(job.output_dir, job.args)].append(job)
    times = {}
    for name, present in runs.items():
        done = [job for job in present if job.state == DONE]
        measured = [_step_time(job) for job in (done or present)[:SAMPLE]]
        known = [seconds for seconds in measured if seconds is not None]
        if known:
            times[name] = sum(known) / len(known)
    return times


def _step_time(job: JobStatus) -> float | None:
    """The mean over the run's steps of the time that its records give; None if they give none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the record that a run is writing
        try:
            records = read_records(present_records_file(job.output_dir))
        except (OSError, InputError):
            return None
    seconds = training_seconds(records)
    return seconds / (max(record["step"] for record in records) + 1) if seconds else None


def seconds_left(jobs: Sequence[JobStatus], times: dict[Kind, float]) -> float | None:
    """Seconds of training, one job at a time, until all but the failed jobs are done; None if a time is unknown."""
    total = 0.0
    for job in jobs:
        if job.state in (DONE, FAILED):
            continue
        seconds = times.get(kind(job.output_dir, job.args))
        if job.steps_left is None or seconds is None:
            return None
        total += job.steps_left * seconds
    return total
