"""Slurm's queue, as squeue shows it."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

POLL_SECONDS = 5
ENDED = {
    "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED",
}  # fmt: skip
FORGOTTEN = ("FAILED", 1)  # a job of which Slurm knows nothing any more, and whose end was not seen


def array_of(job_id: str) -> str:
    """The array that a job belongs to, or the job itself if it is alone."""
    return job_id.partition("_")[0]


def follow_to_the_end(job_ids: Sequence[str]) -> list[int] | None:
    """Show progress until all jobs have ended.

    Returns:
        Their exit codes, -9 for what signal 9 ended; None if interrupted, which leaves the jobs alone.
    """
    jobs = dict.fromkeys(job_ids, ("PENDING", 0))
    try:
        with tqdm(total=len(jobs), desc="sweep", unit="job") as bar:
            while bar.n < len(jobs):
                time.sleep(POLL_SECONDS)
                jobs = _update(jobs)
                counts = Counter(state for state, _ in jobs.values())
                bar.set_postfix({state.lower(): counts[state] for state in sorted(counts)}, refresh=False)
                bar.n = sum(count for state, count in counts.items() if state in ENDED)
                bar.refresh()
    except KeyboardInterrupt:
        print("Following no longer; the jobs go on.", file=sys.stderr)
        return None
    return [code for _, code in jobs.values()]


def _update(jobs: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """The jobs as they are now; as they were, if Slurm does not answer."""
    try:
        queue = read_queue()
    except subprocess.CalledProcessError:
        return jobs
    return {
        job_id: queue.get(job_id, (state, code) if state in ENDED else FORGOTTEN)
        for job_id, (state, code) in jobs.items()
    }


def read_queue() -> dict[str, tuple[str, int]]:
    """This user's jobs, those that ended lately included: id -> state and exit code, -9 after signal 9.

    Raises:
        CalledProcessError: Slurm does not answer.
    """
    argv = ["squeue", "--noheader", "--states=all", "--array", f"--user={os.getuid()}"]
    argv.append("--Format=JobArrayID:50,State:30,exit_code:20")
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = (line.split() for line in lines)
    return {job_id: (state, os.waitstatus_to_exitcode(int(status))) for job_id, state, status in rows}
