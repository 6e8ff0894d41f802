"""Checks of the jobs of a sweep, before anything is written or launched."""

from collections.abc import Sequence

import torch

from domainbed.errors import InputError
from domainbed.running import checks
from domainbed.running.arguments import Arguments
from domainbed.sweeping.jobs import Job


def check_jobs(jobs: Sequence[Job]) -> None:
    """Check the arguments of one job for each set of those that differ in other things than seeds and environments, all
    seeds, and the hyperparameters of every draw.

    Raises:
        InputError: as `running.checks.check_arguments`.
    """
    runs = [Arguments(**job.train_args) for job in jobs]
    for run in {_apart_from_seeds(run): run for run in runs}.values():
        checks.check_arguments(run)
    for run in runs:
        checks.check_seeds(run)
    draws = {(run.algorithm, run.dataset, run.hparams, run.hparams_seed, run.trial_seed): run for run in runs}
    for run in draws.values():
        checks.check_constraints(run)


def _apart_from_seeds(run: Arguments) -> str:
    others = {"output_dir", "seed", "trial_seed", "hparams_seed", "test_envs"}
    return repr([value for name, value in vars(run).items() if name not in others])


def check_device(name: str | None) -> None:
    """Check the device where that costs nothing: on a GPU it would keep memory from the jobs.

    Raises:
        InputError: no such device here.
    """
    if name and not torch.cuda.is_available():
        checks.checked_device(name)


def check_data(jobs: Sequence[Job]) -> None:
    """Check that the data of every dataset is there.

    Raises:
        InputError: saying which datasets cannot be used, then one line for each, then what to do.
    """
    missing = {}
    names = ("dataset", "data_dir", "hparams")
    for run in {tuple(map(job.train_args.get, names)): Arguments(**job.train_args) for job in jobs}.values():
        try:
            checks.check_data(run)
        except InputError as error:
            missing[run.dataset] = str(error)
    if missing:
        raise InputError(
            "\n  ".join(
                [f"nothing was launched, for these datasets cannot be used: {', '.join(missing)}", *missing.values()]
            )
            + "\nGet their data, or choose --datasets Digits, which needs none."
        )
