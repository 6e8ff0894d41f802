"""What a task of a Slurm array runs on its node."""

import os
import signal
import subprocess
import sys
import time

from submitit.helpers import DelayedSubmission

from domainbed.cpus import usable_cpus
from domainbed.sweeping.launchers.command import words

POLL_SECONDS = 0.2


class SlurmJob:
    """A command as submitit calls it. Its exit code becomes that of the Slurm job.

    Args:
        command: continues what an earlier call of it left.
        patience: seconds for it to save its state when the time limit is near. After that it is killed, and loses what
            it has done since its last checkpoint.
    """

    def __init__(self, command: str, patience: float) -> None:
        self.command, self.patience = command, patience
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        threads = {"OMP_NUM_THREADS": str(usable_cpus())}
        # What a run prints is in its out.txt already.
        process = subprocess.Popen(words(self.command), stdout=subprocess.DEVNULL, env=threads | os.environ)
        self.process = process
        # From scancel, scontrol requeue or a preemption. Not every Slurm tells the processes of a job, too.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
        sys.exit(code if code >= 0 else 128 - code)

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit shortly before the time limit, as a signal handler. Ends the command.

        Returns:
            What the requeued job runs.
        """
        if self.process is not None:
            self.process.terminate()
            self._wait(self.process.pid)
            self.process.kill()
        return DelayedSubmission(SlurmJob(self.command, self.patience))

    def _wait(self, pid: int) -> None:
        """Wait for the process, though not by its `wait`, which is what the signal has interrupted."""
        deadline = time.monotonic() + self.patience
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, pid, ended) is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
