"""Whether the jobs of a sweep can run, found out before anything is written or launched."""

from collections.abc import Sequence

import torch

from domainbed import datasets
from domainbed.algorithms import get_algorithm_class
from domainbed.arguments import Arguments, check_fractions, checked_device, parse_hparams
from domainbed.errors import InputError
from domainbed.hparams_registry import check_hparams, default_hparams
from domainbed.jobs import Job


def check_jobs(jobs: Sequence[Job]) -> None:
    """Check every algorithm and dataset that the jobs name, and what they share.

    Raises:
        InputError: an unknown name, or an hparam or fraction that makes no sense.
    """
    runs = [Arguments(**job.train_args) for job in jobs]
    for run in {run.algorithm: run for run in runs}.values():
        get_algorithm_class(run.algorithm)
        datasets.get_dataset_class(run.dataset)
        check_hparams(parse_hparams(run.hparams), run.algorithm, run.dataset)
        check_fractions(run)


def check_device(name: str | None) -> None:
    """Check the device where that costs nothing: on a GPU it would keep memory from the jobs.

    Raises:
        InputError: no such device here.
    """
    if name and not torch.cuda.is_available():
        checked_device(name)


def check_data(jobs: Sequence[Job]) -> None:
    """Check that the data of every dataset is there.

    Raises:
        InputError: saying which datasets cannot be used, then one line for each, then what to do.
    """
    missing = {}
    for run in {job.train_args["dataset"]: Arguments(**job.train_args) for job in jobs}.values():
        hparams = default_hparams(run.algorithm, run.dataset) | parse_hparams(run.hparams)
        try:
            datasets.get_dataset_class(run.dataset).check(run.data_dir, hparams)
        except InputError as error:
            missing[run.dataset] = str(error)
    if missing:
        raise InputError(
            "\n  ".join(
                [f"nothing was launched, for these datasets cannot be used: {', '.join(missing)}", *missing.values()]
            )
            + "\nGet their data, or choose --datasets Digits, which needs none."
        )
