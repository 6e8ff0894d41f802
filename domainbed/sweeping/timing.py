"""How long the jobs of a sweep take, from the step times that runs in the same directory have recorded."""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from domainbed.errors import InputError
from domainbed.reports.records import present_records_file, read_records, training_seconds
from domainbed.sweeping.status import DONE, FAILED, JobStatus

SAMPLE = 20  # runs that are read for each algorithm on each dataset: enough for a mean

Kind = tuple[str, str]
"""An algorithm and a dataset."""


def kind(args: dict[str, Any]) -> Kind:
    """The algorithm and dataset of a run's arguments; "?" for what is unknown."""
    return args.get("algorithm", "?"), args.get("dataset", "?")


def step_times(jobs: Iterable[JobStatus]) -> dict[Kind, float]:
    """Seconds of training per step, the loading of data included and evaluations not, by algorithm and dataset.

    The mean over runs that are done; where none is, over those that have begun, which may yet get to what is slow.
    """
    runs: dict[Kind, list[JobStatus]] = defaultdict(list)
    for job in jobs:
        if job.state == DONE or job.step is not None:
            runs[kind(job.args)].append(job)
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
        if job.steps_left is None or kind(job.args) not in times:
            return None
        total += job.steps_left * times[kind(job.args)]
    return total
