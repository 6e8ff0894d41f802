"""The launcher for a Slurm cluster: job arrays, by submitit, whose tasks go back into the queue until they are done.

A task whose time limit is near ends its run, which saves its state, and requeues itself. One that Slurm requeues,
because of a preemption, a failed node or `scontrol requeue`, begins its command again. Either continues its run.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.sweeping.launchers.slurm_queue import array_of, follow_to_the_end

FOLDER = ".slurm"  # in the sweep's directory: the logs of Slurm, and what submitit hands to its jobs
OURS = {"time": 60, "grace": 120, "parallel": 256}  # settings that are not handed to sbatch as they are
UNITS = {"time": "minutes", "grace": "seconds", "parallel": "jobs"}
EARLY_SECONDS = 30  # by which Slurm's signal may come before the grace begins
MAX_REQUEUES = 1000  # at the time limit, so that a job that gets nowhere ends
DEFAULT_ARRAY = 1000


def slurm_launcher(
    commands: Sequence[str], *, output_dir: str = ".", slurm: Sequence[str] = (), follow: bool = False
) -> list[int] | None:
    """Submit every command as a task of a Slurm job array.

    Args:
        commands: run in this directory and environment.
        output_dir: of the sweep; the nodes must see it.
        slurm: settings KEY=VALUE, checked by `slurm_settings`.
        follow: show progress until the jobs have ended; leaving that with Ctrl-C leaves the jobs alone.

    Returns:
        The exit codes, if it followed the jobs to their ends.

    Raises:
        InputError: bad settings, no submitit, no Slurm, or Slurm's own refusal.
    """
    settings = slurm_settings(slurm)
    if not commands:
        return []
    job_ids = list(_submit(commands, Path(output_dir, FOLDER), settings))
    arrays = list(dict.fromkeys(map(array_of, job_ids)))
    print(f"In Slurm's queue: squeue --jobs {','.join(arrays)}; to cancel them: scancel {' '.join(arrays)}")
    return follow_to_the_end(job_ids) if follow else None


def slurm_settings(given: Sequence[str]) -> dict[str, Any]:
    """The settings of the arrays: time, grace and parallel, and those options of sbatch that were given.

    Raises:
        InputError: not KEY=VALUE, not a number, or no Slurm or submitit here.
    """
    if importlib.util.find_spec("submitit") is None:
        raise InputError("--command_launcher slurm needs submitit: pip install submitit")
    if not shutil.which("sbatch"):
        raise InputError("there is no sbatch here; launch on a login node of a Slurm cluster, or use another launcher")
    settings: dict[str, Any] = {"job_name": "domainbed", **OURS}
    for setting in given:
        key, equals, value = setting.partition("=")
        if not (equals and re.fullmatch(r"[a-z][a-z_-]*", key) and value):
            raise InputError(f"--slurm {setting}: give KEY=VALUE, such as partition=gpu time=240 gpus=1")
        settings[key.replace("-", "_")] = value
    for key in OURS:
        if not re.fullmatch(r"[1-9]\d*", str(settings[key])):
            raise InputError(f"--slurm {key}={settings[key]}: give a whole number of {UNITS[key]}, at least 1")
        settings[key] = int(settings[key])
    if settings["grace"] + EARLY_SECONDS >= 60 * settings["time"]:
        raise InputError(
            f"--slurm time={settings['time']} grace={settings['grace']}: a job would be told to end at once; "
            "give more minutes of time, or fewer seconds of grace"
        )
    return settings


def _submit(commands: Sequence[str], folder: Path, settings: dict[str, Any]) -> Iterator[str]:
    """Submit the commands. Yields the id of each one's Slurm job."""
    executor = _executor(folder, settings)
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    from domainbed.sweeping.launchers.slurm_job import SlurmJob

    tasks = [SlurmJob(command, patience=0.75 * settings["grace"]) for command in commands]
    largest = _largest_array()
    for start in range(0, len(tasks), largest):
        try:
            jobs = executor.submit_array(tasks[start : start + largest])
        except (FailedJobError, FailedSubmissionError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"Slurm took {start} of {len(tasks)} jobs, and then refused: {reason}") from None
        yield from (job.job_id for job in jobs)
        # One array after the other, so that `parallel` holds for all of them.
        executor.update_parameters(dependency=f"afterany:{array_of(jobs[0].job_id)}")


def _executor(folder: Path, settings: dict[str, Any]) -> Any:
    """A submitit executor with these settings. Its jobs have Python as their batch process, which gets the signals."""
    from submitit import SlurmExecutor
    from submitit.slurm.slurm import SlurmJobEnvironment

    folder.mkdir(mode=0o700, exist_ok=True)  # who writes here runs code in our name: submitit's jobs are pickles
    sbatch = {key: value for key, value in settings.items() if key not in OURS}
    sbatch |= {"requeue": True, "signal": f"B:{SlurmJobEnvironment.USR_SIG}@{settings['grace']}"}
    if set("\n%\\") & set(str(folder.absolute())):  # which mean something else in the name of a log file
        sbatch |= {"output": os.devnull, "error": os.devnull}
    executor = SlurmExecutor(folder, MAX_REQUEUES, python=f"exec {shlex.quote(sys.executable)}")
    executor.update_parameters(
        time=settings["time"], array_parallelism=settings["parallel"], use_srun=False, additional_parameters=sbatch
    )
    return executor


def _largest_array() -> int:
    """The number of tasks that an array may have here."""
    configuration = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True).stdout
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", configuration, re.MULTILINE)
    return int(found[1]) if found else DEFAULT_ARRAY
