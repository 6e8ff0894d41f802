"""Seconds and memory of the sweep scripts on a synthetic sweep, by its number of jobs.

    python benchmarks/sweep_scale.py [--jobs 6250 12500 25000 50000] [--directory /dev/shm]

`launch` lists, checks, makes every directory and prints every command with the launcher dummy; `relaunch` finds the
same sweep with six of ten jobs done, 16 running and one of a hundred failed; `status` and `collect_results` read it.
Each is a process. A run has two records of the size that PACS has. The directory decides on the times: on tmpfs a
file is opened in microseconds, on a network's file system in a millisecond.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from csv_record import add_csv_flag, write_csv

from domainbed.running.failure import FAILED
from domainbed.running.lock import exclusive_lock
from domainbed.sweeping.grids import launched_jobs

JOBS_OF_A_DRAW = 34 * 10 * 3  # algorithms, test environments of PACS and their pairs, trials
RUNNING = 16
HPARAMS = {f"hparam_{index}": 0.5**index for index in range(30)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[6250, 12500, 25000, 50000], help="at least so many")
    parser.add_argument("--directory", default="/dev/shm", help="where the sweeps are made, and removed")
    add_csv_flag(parser)
    args = parser.parse_args()
    rows = []
    for jobs in args.jobs:
        directory = Path(tempfile.mkdtemp(prefix="sweep_scale_", dir=args.directory))
        try:
            rows += measured(directory, jobs)
        finally:
            shutil.rmtree(directory)
    write_csv(args.csv, rows)


def measured(directory: Path, jobs: int) -> list[dict[str, object]]:
    """A row for each script."""
    draws = -(-jobs // JOBS_OF_A_DRAW)
    jobs = draws * JOBS_OF_A_DRAW
    flags = ["--datasets", "PACS", "--n_hparams", str(draws), "--output_dir", str(directory)]
    launch = ["sweep", "launch", *flags, "--command_launcher", "dummy", "--skip_confirmation"]
    rows = [row("launch", jobs, launch)]
    with contextlib.ExitStack() as locks:
        populate(directory, locks)
        rows.append(row("relaunch", jobs, [*launch, "--resume_incomplete"]))
        rows.append(row("status", jobs, ["sweep", "status", "--output_dir", str(directory)]))
        rows.append(row("collect_results", jobs, ["collect_results", "--input_dir", str(directory)]))
    return rows


def row(name: str, jobs: int, words: list[str]) -> dict[str, object]:
    """Run a script and measure its process."""
    module, *arguments = words
    start = time.perf_counter()
    command = [sys.executable, "-m", f"domainbed.scripts.{module}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall, code = time.perf_counter() - start, os.waitstatus_to_exitcode(status)
    if code:
        raise SystemExit(f"{' '.join(command)} ended with exit code {code}")
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
    print(f"{name:16} {jobs:7} jobs: {wall:6.1f} s, {cpu:6.1f} s of CPU, {memory:.2f} GiB", flush=True)
    return {"script": name, "jobs": jobs, "seconds": wall, "cpu_seconds": cpu, "gib": memory}


def populate(directory: Path, locks: contextlib.ExitStack) -> None:
    """Give the launched jobs their states: done, failed, running (locked until `locks` is closed), stale, waiting."""
    for index, (name, (args, _)) in enumerate(launched_jobs(directory).items()):
        path = directory / name
        if index < RUNNING:
            locks.enter_context(exclusive_lock(path))
        elif index % 100 == 99:
            (path / FAILED).write_text("error: step 100: loss is nan; the records so far are kept; try a smaller lr")
        elif index % 10 >= 8:
            continue
        (path / "results.jsonl").write_text(records(args | {"output_dir": str(path)}))
        if index >= RUNNING and index % 10 < 6:
            (path / "done").write_text("done")


def records(args: dict[str, object]) -> str:
    accuracies = {f"env{env}_{split}_acc": 0.123456789012345 * env for env in range(4) for split in ("in", "out")}
    record = {"epoch": 1.5, "loss": 0.7, "mem_gb": 4.0, "step_time": 0.25, "hparams": HPARAMS, "args": args}
    return "".join(json.dumps({"step": step, **accuracies, **record}, sort_keys=True) + "\n" for step in (0, 300))


if __name__ == "__main__":
    main()
