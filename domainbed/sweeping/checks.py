"""Checks of the jobs of a sweep, before anything is written or launched."""

from collections.abc import Sequence

import torch

from domainbed.errors import InputError
from domainbed.running import checks
from domainbed.running.arguments import Arguments
from domainbed.sweeping.jobs import Job


def check_jobs(jobs: Sequence[Job]) -> None:
    """Check the arguments of one job for every algorithm on every dataset, all seeds, and the hyperparameters of every
    draw.

    Raises:
        InputError: as `running.checks.check_arguments`.
    """
    runs = [Arguments(**job.train_args) for job in jobs]
    for run in {(run.algorithm, run.dataset): run for run in runs}.values():
        checks.check_arguments(run)
    for run in runs:
        checks.check_seeds(run)
    draws = {(run.algorithm, run.dataset, run.hparams_seed, run.trial_seed): run for run in runs}
    for run in draws.values():
        checks.check_constraints(run)


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
    for run in {job.train_args["dataset"]: Arguments(**job.train_args) for job in jobs}.values():
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
