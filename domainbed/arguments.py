"""The arguments of one run, and whether they make sense. Nothing is written here."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from domainbed import datasets, results
from domainbed.algorithms import get_algorithm_class
from domainbed.errors import InputError
from domainbed.hparams_registry import check_hparams, default_hparams, random_hparams
from domainbed.seeds import seed_hash


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What decides a run's numbers, recorded under `args`; each is a flag of scripts/train.py."""

    algorithm: str = "ERM"
    checkpoint_freq: int | None = None
    data_dir: str = "./data"
    dataset: str = "RotatedMNIST"
    holdout_fraction: float = 0.2
    hparams: str | None = None
    hparams_seed: int = 0
    output_dir: str = "train_output"
    save_model_every_checkpoint: bool = False
    seed: int = 0
    skip_model_save: bool = False
    steps: int | None = None
    task: str = "domain_generalization"
    test_envs: list[int] = dataclasses.field(default_factory=lambda: [0])
    trial_seed: int = 0
    uda_holdout_fraction: float = 0

    def record(self) -> dict[str, Any]:
        """The arguments as the records hold them."""
        return dataclasses.asdict(self)


def checked_hparams(arguments: Arguments) -> dict[str, Any]:
    """The run's hyperparameters: defaults, or a draw if hparams_seed is not 0, overridden by `hparams`.

    Raises:
        InputError: anything in the arguments that would fail or mislead later, the data included.
    """
    get_algorithm_class(arguments.algorithm)
    dataset_class = datasets.get_dataset_class(arguments.dataset)
    given = parse_hparams(arguments.hparams)
    check_hparams(given, arguments.algorithm, arguments.dataset)
    hparams = _drawn(arguments) | given
    check_fractions(arguments)
    _check_test_envs(arguments.test_envs, datasets.environments(arguments.dataset, arguments.data_dir))
    _check_output_dir(arguments)
    dataset_class.check(arguments.data_dir, hparams)
    return hparams


def parse_hparams(text: str | None) -> dict[str, Any]:
    """The JSON object given to --hparams, or {} for none.

    Raises:
        InputError: not JSON, or not an object.
    """
    try:
        given = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise InputError(f"--hparams is not valid JSON: {error}; write it like '{{\"lr\": 0.001}}'") from None
    if not isinstance(given, dict):
        raise InputError(f"--hparams must be a JSON object like '{{\"lr\": 0.001}}', not {text}")
    return given


def checked_device(name: str | None) -> torch.device:
    """The device of that name; None picks the GPU where there is one.

    Raises:
        InputError: no such device here.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"--device {name} cannot be used here; try cpu") from None
    return device


def _drawn(arguments: Arguments) -> dict[str, Any]:
    if arguments.hparams_seed == 0:
        return default_hparams(arguments.algorithm, arguments.dataset)
    seed = seed_hash(arguments.hparams_seed, arguments.trial_seed)
    return random_hparams(arguments.algorithm, arguments.dataset, seed)


def check_fractions(arguments: Arguments) -> None:
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


def _check_output_dir(arguments: Arguments) -> None:
    path = Path(arguments.output_dir) / "results.jsonl"
    mine = arguments.record()
    for record in results.read_records(path)[:1] if path.exists() else []:
        held = record["args"]
        differing = [name for name in mine if name != "output_dir" and held.get(name) != mine[name]]
        if differing:
            what = ", ".join(f"{name} {held.get(name)!r}" for name in differing)
            raise InputError(
                f"{arguments.output_dir} holds another run's results ({what}); choose another --output_dir"
            )
