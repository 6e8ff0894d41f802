"""The jobs of a sweep: arguments, commands, directories and states.

A job's directory is named by the MD5 of its arguments, so that a sweep that is launched again finds its finished jobs.
"""

import copy
import hashlib
import json
import os
import random
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.files import is_done, make_directory
from domainbed.names import ENVIRONMENTS
from domainbed.running import failure, lock
from domainbed.seeds import seed_hash
from domainbed.sweeping.launchers import Command, Launcher
from domainbed.sweeping.launchers.command import flag_words

# What tells one job from another, beside the data_dir.
IDENTITY = (
    "dataset", "algorithm", "test_envs", "trial_seed", "seed", "steps", "hparams", "holdout_fraction", "task",
    "fixed_hparams", "precision", "channels_last", "compile", "exact_images",
)  # fmt: skip


class Job:
    """One run of a sweep.

    Attributes:
        train_args: the flags of scripts/train.py, output_dir included.
        output_dir: the sweep's directory, then the MD5 of the JSON text of the other arguments.
        state: NOT_LAUNCHED, INCOMPLETE or DONE, as found when the job was constructed.
    """

    NOT_LAUNCHED = "Not launched"
    INCOMPLETE = "Incomplete"
    DONE = "Done"

    def __init__(self, train_args: dict[str, Any], sweep_output_dir: str) -> None:
        self.output_dir = os.path.join(sweep_output_dir, job_name(train_args))
        self.train_args = copy.deepcopy(train_args) | {"output_dir": self.output_dir}
        self.state = self._state()

    def _state(self) -> str:
        if self.is_done():
            return Job.DONE
        return Job.INCOMPLETE if os.path.exists(self.output_dir) else Job.NOT_LAUNCHED

    @property
    def argv(self) -> list[str]:
        """The command, word by word; True is a bare switch, None and False are left out."""
        return ["python", "-m", "domainbed.scripts.train", *flag_words(self.train_args)]

    @property
    def command_str(self) -> str:
        """The command as one line for a shell."""
        return shlex.join(self.argv)

    def is_live(self) -> bool:
        """Whether a process is training this job now."""
        return lock.is_live(self.output_dir)

    def is_done(self) -> bool:
        """Whether the job is done now, whatever its state was."""
        return is_done(self.output_dir)

    def last_error(self) -> str | None:
        """The line with which the last attempt failed; None if it did not, but is done, was stopped, or never began."""
        return failure.last_error(self.output_dir)

    def __str__(self) -> str:
        key = tuple(self.train_args[name] for name in ("dataset", "algorithm", "test_envs", "hparams_seed"))
        return f"{self.state}: {self.output_dir} {key}"

    @staticmethod
    def launch(jobs: Iterable["Job"], launcher_fn: Launcher, seed: int = 0) -> list[tuple["Job", int]]:
        """Make all directories, then hand the commands to the launcher, in an order shuffled with `seed`.

        Returns:
            The jobs that failed, each with its exit code; [] if the launcher does not wait for its jobs.

        Raises:
            InputError: a directory cannot be made; nothing is launched then.
        """
        print("Launching...")
        jobs = list(jobs)
        random.Random(seed).shuffle(jobs)
        print("Making job directories:")
        for job in jobs:
            make_directory(Path(job.output_dir))
        codes = launcher_fn([Command(job.argv) for job in jobs])
        print(f"Launched {len(jobs)} jobs!")
        return [(job, code) for job, code in zip(jobs, codes or (), strict=False) if code != 0]

    @staticmethod
    def delete(jobs: Iterable["Job"]) -> None:
        """Remove the jobs' directories, except of those that have been done since they were found incomplete.

        Raises:
            InputError: one of them is being trained; nothing is removed then.
        """
        jobs = list(jobs)
        for job in jobs:
            if job.is_live():
                raise InputError(f"{job.output_dir} belongs to a run that is still alive; nothing was deleted")
        print("Deleting...")
        deleted = [job.output_dir for job in jobs if _deleted(job)]
        print(f"Deleted {len(deleted)} jobs!")


def job_name(train_args: dict[str, Any]) -> str:
    """The name of a job's directory: the MD5 of its arguments, output_dir aside, as JSON text."""
    return hashlib.md5(json.dumps(train_args, sort_keys=True).encode("utf-8")).hexdigest()


def _deleted(job: Job) -> bool:
    with lock.exclusive_lock(job.output_dir):
        if job.is_done() and job.state != Job.DONE:
            return False
        if os.path.islink(job.output_dir):
            os.unlink(job.output_dir)  # what it leads to is not the sweep's to remove
            return True
        # In one step, so that who starts this job meanwhile gets a directory of which nothing is removed.
        directory = Path(job.output_dir)
        deleted = directory.with_name(f".{directory.name}.deleted")
        shutil.rmtree(deleted, ignore_errors=True)  # left by a killed process
        directory.rename(deleted)
        shutil.rmtree(deleted)
        return True


def all_test_env_combinations(n: int) -> Iterator[list[int]]:
    """Every single test environment out of n >= 3, and every pair: [0], [0, 1], ..., [1], [1, 2], ..."""
    assert n >= 3
    for i in range(n):
        yield [i]
        for j in range(i + 1, n):
            yield [i, j]


def make_args_list(
    n_trials: int,
    dataset_names: Iterable[str],
    algorithms: Iterable[str],
    n_hparams_from: int,
    n_hparams: int,
    steps: int | None,
    data_dir: str,
    task: str,
    holdout_fraction: float,
    single_test_envs: bool,
    hparams: str | None,
    num_environments: Mapping[str, int] | None = None,
    **extra: Any,
) -> list[dict[str, Any]]:
    """The arguments of every job, trial by trial.

    Args:
        n_trials: trial seeds are 0 ... n_trials - 1.
        dataset_names: names of datasets.
        algorithms: names of algorithms.
        n_hparams_from: first seed of the hyperparameters (0 gives the defaults).
        n_hparams: end of their range, exclusive.
        steps: of every run; None for the dataset's own number.
        data_dir: enters the jobs' names as it is written.
        task: domain_generalization or domain_adaptation.
        holdout_fraction: held out of each environment for evaluation.
        single_test_envs: leave out the pairs, which leave-one-domain-out selection needs.
        hparams: JSON object that overrides the drawn hyperparameters.
        num_environments: of each dataset; by default the datasets are asked.
        extra: further flags of scripts/train.py. Like `steps` and `hparams` they enter only when given.

    Raises:
        InputError: an unknown dataset, or one with too few environments for pairs.
    """
    numbers = num_environments or count_environments(dataset_names, data_dir)
    given = {name: value for name, value in {"steps": steps, "hparams": hparams, **extra}.items() if value is not None}
    return [
        {
            "dataset": dataset,
            "algorithm": algorithm,
            "test_envs": test_envs,
            "holdout_fraction": holdout_fraction,
            "hparams_seed": hparams_seed,
            "data_dir": data_dir,
            "task": task,
            "trial_seed": trial_seed,
            "seed": seed_hash(dataset, algorithm, test_envs, hparams_seed, trial_seed),
            **given,
        }
        for trial_seed in range(n_trials)
        for dataset in dataset_names
        for algorithm in algorithms
        for test_envs in _test_envs(dataset, numbers[dataset], single_test_envs)
        for hparams_seed in range(n_hparams_from, n_hparams)
    ]


def _test_envs(dataset: str, n: int, single: bool) -> Iterable[list[int]]:
    if single:
        return [[i] for i in range(n)]
    if n < 3:
        raise InputError(f"{dataset} has {n} environments and pairs leave none for training; give --single_test_envs")
    return all_test_env_combinations(n)


def count_environments(dataset_names: Iterable[str], data_dir: str) -> dict[str, int]:
    """The number of environments of each dataset.

    Raises:
        InputError: an unknown dataset, or an image folder that is not there.
    """
    return {dataset: len(_environments(dataset, data_dir)) for dataset in dataset_names}


def _environments(dataset: str, data_dir: str) -> list[str]:
    if dataset in ENVIRONMENTS:
        return ENVIRONMENTS[dataset]
    from domainbed.datasets import environments  # needs PyTorch, which the published names do not

    return environments(dataset, data_dir)


def other_data_dirs(jobs: Sequence[Job]) -> Counter[str]:
    """Where jobs that are yet to be launched were run with another data_dir, and so under another name.

    Returns:
        data_dir -> number of jobs.
    """
    wanted = {_identity(job.train_args) for job in jobs}
    here = {job.train_args.get("data_dir") for job in jobs}
    sweeps = dict.fromkeys(Path(job.output_dir).parent for job in jobs)
    recorded = (_first_args(path) for sweep in sweeps for path in sweep.glob("[!.]*/results.jsonl"))
    elsewhere = (args for args in recorded if args.get("data_dir") not in here)
    return Counter(str(args.get("data_dir")) for args in elsewhere if _identity(args) in wanted)


def _identity(args: dict[str, Any]) -> str:
    return json.dumps([args.get(name) for name in IDENTITY])


def _first_args(results: Path) -> dict[str, Any]:
    try:
        with open(results, encoding="utf-8") as file:
            return json.loads(file.readline())["args"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
