"""What a run trains and on what: the dataset, its splits, the algorithm, their minibatches and evaluations."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from domainbed import datasets
from domainbed.algorithms import get_algorithm_class
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.datasets.image_cache import ImageCache
from domainbed.errors import InputError
from domainbed.networks.backbones import recorded
from domainbed.running.arguments import Arguments
from domainbed.running.batches import BatchLoader
from domainbed.running.evaluation import TrainingDomains, accuracy, evaluation_batch
from domainbed.running.loading import Split, TrainingLoader, evaluation_batches, split_environments
from domainbed.running.numerics import Numerics
from domainbed.seeds import seed_hash


class Experiment:
    """An algorithm with the environments it is trained and evaluated on. Its randomness depends on (seed, step) alone.

    Args:
        arguments: what decides the numbers.
        hparams: from `Arguments.all_hparams`.
        device: of the model and the minibatches.
        num_workers: processes that load images; data in memory needs none.
        cache: of decoded images.
    """

    def __init__(
        self,
        arguments: Arguments,
        hparams: dict[str, Any],
        device: torch.device,
        num_workers: int = 0,
        cache: ImageCache | None = None,
    ):
        hparams = recorded(hparams)
        self.arguments, self.hparams, self.device = arguments, hparams, device
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        seed_everything(arguments.seed)
        self.dataset = datasets.get_dataset_class(arguments.dataset)(arguments.data_dir, arguments.test_envs, hparams)
        exact = arguments.exact_images
        self.loader = BatchLoader(self.dataset.datasets, num_workers, device, exact, None if exact else cache)
        self.fingerprints = self.dataset.fingerprints()
        self.environments = split_environments(
            self.dataset.datasets,
            arguments.test_envs,
            arguments.trial_seed,
            arguments.holdout_fraction,
            arguments.uda_holdout_fraction,
        )
        seed_everything(seed_hash(arguments.seed, "weights"))
        algorithm_class = get_algorithm_class(arguments.algorithm)
        self.num_domains = len(self.environments) - len(arguments.test_envs)
        algorithm = algorithm_class(self.dataset.input_shape, self.dataset.num_classes, self.num_domains, hparams)
        self._check_splits(algorithm_class)
        self.numerics = Numerics.of(arguments)
        self.algorithm = self.numerics.prepare(algorithm.to(device))

    def minibatches(self, steps: range) -> Iterator[list[Minibatch]]:
        """One for each training domain, for the updates of these steps."""
        splits = {f"env{index}": self.environments[index].training for index in self._training_indices()}
        return self._loader(splits).batches(steps.start, steps.stop)

    def unlabeled(self, steps: range) -> Iterator[list[Tensor] | None]:
        """The unlabeled samples of the test domains for these steps; None each in domain generalization."""
        if self.arguments.task != "domain_adaptation":
            return itertools.repeat(None, len(steps))
        loader = self._loader({name: split for name, split in self._splits().items() if name.endswith("uda")})
        return ([x for x, _ in batch] for batch in loader.batches(steps.start, steps.stop))

    def _loader(self, splits: dict[str, Split]) -> TrainingLoader:
        balanced = self.hparams["class_balanced"]
        return TrainingLoader(splits, self.hparams["batch_size"], self.arguments.seed, balanced, self.loader)

    def _training_indices(self) -> list[int]:
        return [index for index in range(len(self.environments)) if index not in self.arguments.test_envs]

    def _check_splits(self, algorithm_class: type[Algorithm]) -> None:
        adapts = self.arguments.task == "domain_adaptation"
        if adapts and not any(environment.unlabeled for environment in self.environments):
            raise InputError("not enough unlabeled samples for domain adaptation; raise --uda_holdout_fraction")
        if algorithm_class.REPORTS_LAST and not self.validation_splits():
            raise InputError(f"{self.arguments.algorithm} needs validation data; raise --holdout_fraction")

    def validation_splits(self) -> dict[str, Split]:
        """The held-out splits of the training domains that are not empty."""
        splits = {f"env{index}_out": self.environments[index].held_out for index in self._training_indices()}
        return {name: split for name, split in splits.items() if len(split)}

    def steps_per_epoch(self) -> float:
        """Updates in which the smallest training split is drawn once."""
        return min(len(environment.training) / self.hparams["batch_size"] for environment in self.environments)

    def _splits(self) -> dict[str, Split]:
        """Every split that is evaluated, in order; the uda splits are counted, not named by environment."""
        unlabeled = [environment.unlabeled for environment in self.environments if environment.unlabeled]
        splits = {f"env{i}_in": environment.training for i, environment in enumerate(self.environments)}
        splits |= {f"env{i}_out": environment.held_out for i, environment in enumerate(self.environments)}
        splits |= {f"env{j}_uda": split for j, split in enumerate(unlabeled)}
        return {name: split for name, split in splits.items() if len(split)}

    def accuracies(self, step: int) -> dict[str, float]:
        """Accuracy on every split that is not empty, after the update of that step: `env0_in_acc` and so on."""
        seed_everything(seed_hash(self.arguments.seed, "evaluation", step))
        with self.numerics.evaluation(self.device):
            return {
                f"{name}_acc": accuracy(self.algorithm, loader, None, self.device)
                for name, loader in self._evaluation_batches(self._splits())
            }

    def _evaluation_batches(self, splits: dict[str, Split]) -> Iterator[tuple[str, Iterator[Minibatch]]]:
        size = evaluation_batch(self.algorithm, self.dataset.input_shape, self.device)
        return evaluation_batches(splits, self.arguments.seed, self.loader, size)

    def training_domains(self, step: int) -> TrainingDomains:
        """What the algorithm may know of its evaluation after the update of that step."""
        seed_everything(seed_hash(self.arguments.seed, "training domains", step))
        return TrainingDomains(
            self.algorithm,
            self.device,
            lambda: (loader for _, loader in self._evaluation_batches(self.validation_splits())),
            lambda count: self.minibatches(range(step + 1, step + 1 + count)),
        )

    def check_same_samples(self, path: Path, before: list[str] | None) -> None:
        """Check that splits are of the samples with which the run began; checkpoints of earlier versions do not say.

        Args:
            path: of the checkpoint.
            before: the fingerprints in it.

        Raises:
            InputError: they are not.
        """
        if before is None or before == self.fingerprints:
            return
        pairs = itertools.zip_longest(before, self.fingerprints)
        changed = [index for index, (old, new) in enumerate(pairs) if old != new]
        raise InputError(
            f"{self.arguments.dataset}: samples were added, removed or renamed since this run began, in environment"
            f" {', '.join(map(str, changed))}, which moves the splits; restore them, or delete {path} and results.jsonl"
            " to train from the start"
        )


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch, those of the accelerators in use included."""
    random.seed(seed)
    np.random.seed(seed)
    # torch.manual_seed also prepares devices that nobody uses, which takes twenty times as long.
    torch.default_generator.manual_seed(seed)
    for accelerator in (torch.cuda, torch.xpu):
        if accelerator.is_initialized():
            accelerator.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
