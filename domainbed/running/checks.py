"""Whether a run can work, found out before anything is written. The train and sweep scripts both ask here."""

from pathlib import Path

import torch

from domainbed import datasets
from domainbed.algorithms import get_algorithm_class
from domainbed.errors import InputError
from domainbed.files import check_directory, is_done
from domainbed.networks.backbones import check_backbone
from domainbed.reports.records import read_records, records_file
from domainbed.running.arguments import Arguments
from domainbed.running.hparams import check_given_hparams, classes_with_constraints
from domainbed.running.numerics import Numerics


def check_arguments(arguments: Arguments) -> None:
    """Check all arguments, the data aside.

    Raises:
        InputError: an argument that would fail or mislead later.
    """
    get_algorithm_class(arguments.algorithm)
    datasets.get_dataset_class(arguments.dataset)
    check_seeds(arguments)
    check_given_hparams(arguments.given_hparams(), arguments.algorithm, arguments.dataset)
    check_backbone(arguments.all_hparams())
    check_constraints(arguments)
    Numerics.of(arguments).check()
    _check_counts(arguments)
    _check_fractions(arguments)
    _check_test_envs(arguments.test_envs, datasets.environments(arguments.dataset, arguments.data_dir))


def check_seeds(arguments: Arguments) -> None:
    """Check the three seeds.

    Raises:
        InputError: one is negative, or too large for NumPy.
    """
    if not 0 <= arguments.seed < 2**32:
        raise InputError(f"--seed must be at least 0 and below 2**32, not {arguments.seed}")
    # These are hashed, so that any number would do, but a negative one is a slip.
    for name, seed in (("trial_seed", arguments.trial_seed), ("hparams_seed", arguments.hparams_seed)):
        if seed < 0:
            raise InputError(f"--{name} must be at least 0, not {seed}")


def check_constraints(arguments: Arguments) -> None:
    """Check what an algorithm demands of its hyperparameters together, and what the base of a combination does.

    Raises:
        InputError: the run's hyperparameters, drawn ones included, do not work together.
    """
    for algorithm in classes_with_constraints(arguments.algorithm):
        try:
            algorithm.check_hparams(arguments.all_hparams())
        except InputError as error:
            drawn = f"--hparams_seed {arguments.hparams_seed}, --trial_seed {arguments.trial_seed}"
            raise InputError(f"{error} ({arguments.algorithm} on {arguments.dataset}, {drawn})") from None


def check_data(arguments: Arguments) -> None:
    """Check that the data is there and can be read.

    Raises:
        InputError: it is not; the message says what would be right.
    """
    dataset_class = datasets.get_dataset_class(arguments.dataset)
    dataset_class.check(arguments.data_dir, arguments.all_hparams())


def check_output_dir(arguments: Arguments) -> None:
    """Check that output_dir can be used and holds no other run's records.

    Raises:
        InputError: it cannot, or it does; then the message names the arguments in which the two differ.
    """
    output_dir = Path(arguments.output_dir)
    if not is_done(output_dir):  # nothing is written where a run is done
        check_directory(output_dir)
    for path in (records_file(output_dir), records_file(output_dir, reports_last=True)):
        for record in read_records(path)[:1] if path.exists() else []:
            arguments.check_same_run(record["args"])


def checked_device(name: str | None) -> torch.device:
    """The device of that name; None picks the GPU where there is one.

    Raises:
        InputError: no such device here.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"--device {name} cannot be used here; try cpu") from None
    return device


def check_num_workers(num_workers: int) -> None:
    """Check the number of data-loading processes.

    Raises:
        InputError: it is negative.
    """
    if num_workers < 0:
        raise InputError(f"--num_workers must be 0 (load in the run's own process) or more, not {num_workers}")


def check_checkpoint_minutes(minutes: float) -> None:
    """Check the time between checkpoints.

    Raises:
        InputError: it is negative, or no number.
    """
    if not minutes >= 0:
        raise InputError(f"--checkpoint_minutes must be 0 (after every update) or more, not {minutes}")


def _check_counts(arguments: Arguments) -> None:
    for name, count in (("steps", arguments.steps), ("checkpoint_freq", arguments.checkpoint_freq)):
        if count is not None and count < 1:
            raise InputError(f"--{name} must be at least 1, not {count}; leave it out for the dataset's own number")


def _check_fractions(arguments: Arguments) -> None:
    if not 0 < arguments.holdout_fraction < 1:
        raise InputError(f"--holdout_fraction must lie between 0 and 1, not {arguments.holdout_fraction}")
    if not 0 <= arguments.uda_holdout_fraction < 1:
        raise InputError(f"--uda_holdout_fraction must lie in [0, 1), not {arguments.uda_holdout_fraction}")
    if arguments.task == "domain_adaptation" and arguments.uda_holdout_fraction == 0:
        raise InputError("Not enough unlabeled samples for domain adaptation; give --uda_holdout_fraction above 0.")


def _check_test_envs(test_envs: list[int], environments: list[str]) -> None:
    listed = ", ".join(f"{index} {name}" for index, name in enumerate(environments))
    for index in test_envs:
        if not 0 <= index < len(environments):
            raise InputError(f"--test_envs {index} is out of range; the environments are {listed}")
    if len(set(test_envs)) < len(test_envs):
        raise InputError(f"--test_envs names an environment twice: {test_envs}")
    if len(test_envs) == len(environments):
        raise InputError(f"--test_envs covers all environments ({listed}); leave at least one for training")
