"""Processes on this machine, so many at a time."""

import os
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from tqdm import tqdm

from domainbed.cpus import usable_cpus
from domainbed.sweeping.launchers.command import words

POLL_SECONDS = 0.1
GRACE_SECONDS = 30  # for the checkpoint of a run that is told to end


def run(commands: Sequence[str], slots: Sequence[dict[str, str]]) -> list[int]:
    """Keep one command running per slot until all have ended; an interruption ends those that run.

    Args:
        commands: the next one goes to the first slot that is free.
        slots: environment variables of the commands that run there, beside this process's own.

    Returns:
        The exit codes in the order of the commands; -9 if signal 9 ended one.
    """
    codes = [0] * len(commands)
    waiting = deque(enumerate(commands))
    running: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}
    with tqdm(total=len(commands), desc="sweep", unit="job", disable=not commands) as bar:
        try:
            while waiting or running:
                for slot, variables in enumerate(slots):
                    if slot in running and running[slot][1].poll() is not None:
                        index, process = running.pop(slot)
                        codes[index] = process.returncode
                        bar.update()
                    if slot not in running and waiting:
                        index, command = waiting.popleft()
                        running[slot] = index, _start(command, slot, _threads(len(slots)) | variables)
                time.sleep(POLL_SECONDS)
        finally:
            _stop([process for _, process in running.values()])
    return codes


def share_of_cpus(processes: int) -> int:
    """How many of the usable CPUs each of so many processes gets, at least 1."""
    return max(1, usable_cpus() // processes)


def _threads(processes: int) -> dict[str, str]:
    """The variable that shares the CPUs out among processes. MKL and OpenBLAS read it too."""
    if processes == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(share_of_cpus(processes))}


def _start(command: str, slot: int, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """What the command prints is in its out.txt already.

    Its own progress bar, if it shows one, takes a line below the sweep's: tqdm reads its defaults from TQDM_*.
    """
    bar = {"TQDM_POSITION": str(slot + 1), "TQDM_LEAVE": ""}
    return subprocess.Popen(words(command), stdout=subprocess.DEVNULL, env={**os.environ, **bar, **variables})


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    try:
        for process in processes:
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            for process in processes:
                process.wait(max(0, deadline - time.monotonic()))
    finally:  # interrupted once more, too
        for process in processes:
            process.kill()
            process.wait()
