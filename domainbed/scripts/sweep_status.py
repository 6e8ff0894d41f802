"""Print how far a sweep is, and how long it takes."""

import dataclasses
import json
import math
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from domainbed.names import ALGORITHMS, in_table_order
from domainbed.sweeping.grids import n_steps
from domainbed.sweeping.jobs import Job
from domainbed.sweeping.status import FAILED, RUNNING, STATES, JobStatus, job_statuses
from domainbed.sweeping.timing import Kind, kind, seconds_left, step_times

LISTED = 20  # jobs of one state that the table names; --json has all
CLEAR = "\033[H\033[2J"


def show_status(output_dir: Path, as_json: bool, watch: float | None) -> int:
    """Print the status once, or every `watch` seconds until nothing is left to run. Returns the exit code."""
    while True:
        jobs = list(job_statuses(output_dir))
        text = json.dumps(status_object(output_dir, jobs)) if as_json else status_text(output_dir, jobs)
        clear = CLEAR if watch is not None and sys.stdout.isatty() else ""
        print(clear + text, flush=True)
        if watch is None or all(job.state in ("done", FAILED) for job in jobs):
            return 0
        time.sleep(watch)


def status_object(output_dir: Path, jobs: Sequence[JobStatus]) -> dict[str, Any]:
    """What `--json` prints: counts by state, the estimate, and every job."""
    seconds = seconds_left(jobs, step_times(jobs))
    end = estimated_end(jobs, seconds)
    counts = Counter(job.state for job in jobs)
    return {
        "output_dir": str(output_dir),
        "counts": {state: counts[state] for state in STATES},
        "seconds_left": seconds,
        "estimated_end": end.isoformat(timespec="seconds") if end else None,
        "jobs": [dataclasses.asdict(job) for job in jobs],
    }


def estimated_end(jobs: Sequence[JobStatus], seconds: float | None) -> datetime | None:
    """When the jobs would be done if as many as now kept running; None if that is unknown, or none runs."""
    running = sum(job.state == RUNNING for job in jobs)
    if seconds is None or not running:
        return None
    return datetime.now().astimezone() + timedelta(seconds=seconds / running)


def status_text(output_dir: Path, jobs: Sequence[JobStatus]) -> str:
    """The table of algorithms and datasets, the jobs that run, those that failed, and the estimated end."""
    times = step_times(jobs)
    by_kind: dict[Kind, Counter[str]] = defaultdict(Counter)
    for job in jobs:
        by_kind[kind(job.output_dir, job.args)][job.state] += 1
    order = in_table_order(dict.fromkeys(name.algorithm for name in by_kind), ALGORITHMS)
    rows = sorted(by_kind, key=lambda name: (name.directory, order.index(name.algorithm), name.dataset))
    labels = _labels(rows)
    cells = [_cells(by_kind[name], times.get(name)) for name in rows]
    cells.append(_cells(sum(by_kind.values(), Counter()), None))
    table = pd.DataFrame(cells, index=[*labels, "all"], columns=["jobs", *STATES, "s/step"]).to_string()
    lists = [*_listed(jobs, RUNNING, _progress), *_listed(jobs, FAILED, _error)]
    return "\n".join([f"{output_dir}", table, "", *lists, _estimate(jobs, times)])


def _cells(counts: Counter[str], seconds: float | None) -> list[str]:
    time_of_step = "" if seconds is None else f"{seconds:.3g}"
    return [str(counts.total()), *(str(counts[state] or "") for state in STATES), time_of_step]


def _labels(kinds: Sequence[Kind]) -> list[str]:
    """Algorithm and dataset, with the directory where there are several."""
    common = os.path.commonpath([name.directory for name in kinds]) if kinds else ""
    directories = [
        "" if name.directory == common else f"{Path(name.directory).relative_to(common)}: " for name in kinds
    ]
    return [f"{where}{name.algorithm} on {name.dataset}" for where, name in zip(directories, kinds, strict=True)]


def _listed(jobs: Sequence[JobStatus], state: str, text: Any) -> list[str]:
    present = [job for job in jobs if job.state == state]
    lines = [f"  {job.output_dir} ({_name(job.args)}): {text(job)}" for job in present[:LISTED]]
    more = [f"  and {len(present) - LISTED} more; --json lists all"] if len(present) > LISTED else []
    return [f"{state}:", *lines, *more, ""] if present else []


def _name(args: dict[str, Any]) -> str:
    numbers = [f"{name} {args[name]}" for name in ("test_envs", "trial_seed", "hparams_seed") if name in args]
    return ", ".join([f"{args.get('algorithm', '?')} on {args.get('dataset', '?')}", *numbers])


def _progress(job: JobStatus) -> str:
    if job.step is None:
        return "no record yet"
    of = f" of {job.steps} ({100 * (job.step + 1) / job.steps:.0f} %)" if job.steps else ""
    rate = f", {1 / job.step_time:.3g} steps/s" if job.step_time else ""
    return f"step {job.step + 1}{of}{rate}"


def _error(job: JobStatus) -> str:
    return job.error or ""


def _estimate(jobs: Sequence[JobStatus], times: dict[Kind, float]) -> str:
    seconds = seconds_left(jobs, times)
    if seconds == 0:
        return "Nothing is left to train."
    if seconds is None:
        return "Time left: unknown; some of the jobs left have no measured step time yet."
    end = estimated_end(jobs, seconds)
    when = f"; estimated end {end:%Y-%m-%d %H:%M} with as many at a time as now" if end else "; none is running"
    return f"Time left: {_duration(seconds)} one at a time{when}. Evaluations are not counted."


def print_projection(jobs: Sequence[Job]) -> None:
    """Print how many jobs would be launched and how long they train, by the step times recorded beside them."""
    sweeps = dict.fromkeys(Path(job.output_dir).parent for job in jobs)
    times = step_times(status for sweep in sweeps if sweep.is_dir() for status in job_statuses(sweep))
    steps: Counter[Kind] = Counter()
    kinds = [kind(job.output_dir, job.train_args) for job in jobs]
    for name, job in zip(kinds, jobs, strict=True):
        steps[name] += n_steps(job.train_args["dataset"], job.train_args.get("steps"))
    counts = Counter(kinds)
    hours = {name: steps[name] * times[name] / 3600 for name in steps if name in times}
    rows = [[counts[name], times.get(name, math.nan), hours.get(name, math.nan)] for name in steps]
    if rows:
        columns = ["jobs", "s/step", "hours"]
        frame = pd.DataFrame(rows, index=_labels(list(steps)), columns=columns)
        print(frame.to_string(float_format="{:.3g}".format, na_rep="not measured"))
    print(f"{len(jobs)} jobs would be launched; nothing was.")
    if hours:
        known, total = sum(counts[name] for name in hours), _duration(3600 * sum(hours.values()))
        print(f"{known} of them train for {total}, one at a time, evaluations not counted.")
    if len(hours) < len(counts):
        print("Launch one job of each kind that is not measured, such as with --n_trials 1, and ask again.")


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"
