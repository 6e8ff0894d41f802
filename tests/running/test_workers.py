"""Worker processes: order, errors, and their end."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch

from domainbed.errors import InputError
from domainbed.running.workers import WorkerKilled, Workers


def work(task):
    if task == "unreadable":
        raise InputError("no image")
    if task == "mistake":
        raise KeyError("mistake")
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.full((3,), task), os.getpid()


@pytest.mark.parametrize("count", [0, 2])
def test_streams_can_be_read_in_turn_and_share_the_processes(count):
    with closing(Workers(work, count)) as workers:
        first, second = workers.results(range(20)), workers.results(range(100, 120))
        pairs = list(zip(first, second, strict=True))
        later = list(workers.results(range(3)))
    assert [(a[0][0].item(), b[0][0].item()) for a, b in pairs] == [(n, 100 + n) for n in range(20)]
    used = {process for pair in pairs for _, process in pair} | {process for _, process in later}
    assert len(used) == max(1, count)
    assert (os.getpid() in used) == (count == 0)


def test_bad_input_is_raised_as_it_is_and_other_errors_with_their_traceback():
    with closing(Workers(work, 1)) as workers:
        with pytest.raises(InputError, match=r"^no image$"):
            list(workers.results(["unreadable"]))
        with pytest.raises(RuntimeError, match=r"KeyError: .mistake"):
            list(workers.results(["mistake"]))
        assert next(workers.results([5]))[0][0] == 5


def test_a_killed_worker_is_one_line():
    with closing(Workers(work, 1)) as workers, pytest.raises(WorkerKilled) as caught:
        list(workers.results(["die", 1, 2]))
    message = str(caught.value)
    assert "\n" not in message
    for remedy in ("--shm-size", "fewer --num_workers need less", "--num_workers 0"):
        assert remedy in message


RUN = """if True:
    import sys, time
    from test_workers import work
    from domainbed.running.workers import WorkerKilled, Workers
    workers = Workers(work, 2)
    print(*[process for _, process in workers.results(range(4))][:2], flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
@pytest.mark.parametrize("killed", [True, False])
def test_workers_end_with_their_run_however_that_ends(killed):
    """Killed, or at its end without a `close`, of which SIGTERM to all processes is not one."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, "60" if killed else "0"],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    workers = [int(word) for word in run.stdout.readline().split()]
    assert len(set(workers)) == 2
    if killed:
        run.kill()
    run.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(
        Path(f"/proc/{worker}/cmdline").exists() and Path(f"/proc/{worker}/cmdline").read_bytes() for worker in workers
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
