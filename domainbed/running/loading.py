"""Which samples make up training step t, and the seeds of their augmentation.

Both depend on (seed, environment, step) alone: resuming a run and the number of workers change nothing.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from domainbed.errors import InputError
from domainbed.running.batches import BatchLoader, Minibatch, Part
from domainbed.seeds import seed_hash

EVALUATION_BATCH = 64


class Split(Dataset[Any]):
    """The items `keys` of `underlying_dataset`, in that order."""

    def __init__(self, underlying_dataset: Any, keys: Sequence[int]):
        self.underlying_dataset = underlying_dataset
        self.keys = list(keys)

    def __getitem__(self, index: int) -> Any:
        return self.underlying_dataset[self.keys[index]]

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, places: Sequence[int], *stream: object) -> Part:
        """A request for the items at these places; the i-th is augmented by the seed of (*stream, i)."""
        keys = [self.keys[place] for place in places]
        if isinstance(self.underlying_dataset, Split):
            return self.underlying_dataset.part(keys, *stream)
        return Part(self.underlying_dataset, keys, stream)

    @property
    def root(self) -> Any:
        """The dataset at the bottom of splits of splits."""
        return self.underlying_dataset.root if isinstance(self.underlying_dataset, Split) else self.underlying_dataset


def split_dataset(dataset: Any, n: int, seed: int = 0) -> tuple[Split, Split]:
    """The first n items of `dataset` shuffled by RandomState(seed), and the rest."""
    if n > len(dataset):
        raise ValueError(f"cannot take {n} items of a dataset of {len(dataset)}")
    keys = list(range(len(dataset)))
    np.random.RandomState(seed).shuffle(keys)
    return Split(dataset, keys[:n]), Split(dataset, keys[n:])


@dataclass
class Environment:
    """One environment's splits: `training` for updates, `held_out` for validation, `unlabeled` for adaptation."""

    training: Split
    held_out: Split
    unlabeled: Split | None


def split_environments(
    datasets: Sequence[Any],
    test_envs: Sequence[int],
    trial_seed: int,
    holdout_fraction: float,
    uda_holdout_fraction: float = 0,
) -> list[Environment]:
    """The in, out and uda splits of every environment, equal to DomainBed's for equal seeds."""
    environments = []
    for index, dataset in enumerate(datasets):
        seed = seed_hash(trial_seed, index)
        held_out, training = split_dataset(dataset, int(len(dataset) * holdout_fraction), seed)
        unlabeled = None
        if index in test_envs:
            first, rest = split_dataset(training, int(len(training) * uda_holdout_fraction), seed)
            if len(first):
                unlabeled, training = first, rest
        environments.append(Environment(training, held_out, unlabeled))
    return environments


def labels(dataset: Any) -> np.ndarray:
    """The labels (n,) of a dataset or split; its items are decoded only where the labels are listed nowhere."""
    listed = _listed_labels(dataset)
    if listed is None:
        return np.array([int(dataset[index][1]) for index in range(len(dataset))], dtype=np.int64)
    return listed


def _listed_labels(dataset: Any) -> np.ndarray | None:
    """The labels (n,) from `targets` or a tensor, or None if there are neither."""
    if isinstance(dataset, Split):
        listed = _listed_labels(dataset.underlying_dataset)
        return None if listed is None else listed[dataset.keys]
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1].numpy()
    return np.asarray(dataset.targets) if hasattr(dataset, "targets") else None


def make_weights_for_balanced_classes(dataset: Any) -> Tensor:
    """Sampling weights (n,), float32, under which every class present is drawn equally often; they sum to 1."""
    if len(dataset) == 0:
        return torch.empty(0)
    _, inverse, counts = np.unique(labels(dataset), return_inverse=True, return_counts=True)
    return torch.tensor(1 / (counts[inverse] * len(counts)), dtype=torch.float32)


class TrainingLoader:
    """Minibatches for update t = 0, 1, ...: one per environment, drawn with replacement.

    Args:
        splits: name -> samples to draw from; the name keys the split's random stream.
        batch_size: samples per environment and step.
        seed: of the run.
        balanced: draw classes equally often.
        loader: loads them; None does so here, on the CPU.

    Raises:
        InputError: a split is empty.
    """

    def __init__(
        self,
        splits: dict[str, Split],
        batch_size: int,
        seed: int,
        balanced: bool = False,
        loader: BatchLoader | None = None,
    ):
        for name, split in splits.items():
            if len(split) == 0:
                raise InputError(f"{name}: no samples left to train on; lower the holdout fraction")
        self.splits, self.batch_size, self.seed = splits, batch_size, seed
        self.loader = loader or BatchLoader([split.root for split in splits.values()])
        self.probabilities = {name: _class_balance(split) if balanced else None for name, split in splits.items()}

    def batches(self, start: int, stop: int) -> Iterator[list[Minibatch]]:
        """The minibatches of updates start, ..., stop - 1, each a list of (x (batch_size, ...), y (batch_size,))."""
        return self.loader.batches(self._parts(step) for step in range(start, stop))

    def _parts(self, step: int) -> list[Part]:
        return [
            split.part(self._indices(name, step).tolist(), self.seed, "augmentation", name, step)
            for name, split in self.splits.items()
        ]

    def _indices(self, name: str, step: int) -> np.ndarray:
        stream = np.random.default_rng(seed_hash(self.seed, "samples", name, step))
        return stream.choice(len(self.splits[name]), self.batch_size, p=self.probabilities[name])


class WithoutReplacement(TrainingLoader):
    """As `TrainingLoader`, but each pass over a split is a permutation of it, without the rest that fills no batch.

    With `balanced`, samples are drawn with replacement all the same.

    Raises:
        InputError: a split is smaller than a batch.
    """

    def __init__(
        self,
        splits: dict[str, Split],
        batch_size: int,
        seed: int,
        balanced: bool = False,
        loader: BatchLoader | None = None,
    ):
        super().__init__(splits, batch_size, seed, balanced, loader)
        for name, split in splits.items():
            if len(split) < batch_size and not balanced:
                raise InputError(f"{name}: {len(split)} samples fill no batch of {batch_size}; lower the batch_size")
        self._passes: dict[str, tuple[int, np.ndarray]] = {}

    def _indices(self, name: str, step: int) -> np.ndarray:
        if self.probabilities[name] is not None:
            return super()._indices(name, step)
        number, place = divmod(step, len(self.splits[name]) // self.batch_size)
        if self._passes.get(name, (None,))[0] != number:
            stream = np.random.default_rng(seed_hash(self.seed, "pass", name, number))
            self._passes[name] = number, stream.permutation(len(self.splits[name]))
        return self._passes[name][1][place * self.batch_size : (place + 1) * self.batch_size]


def evaluation_batches(
    splits: dict[str, Split], seed: int, loader: BatchLoader | None = None, batch_size: int = EVALUATION_BATCH
) -> Iterator[tuple[str, Iterator[Minibatch]]]:
    """Each split's name with all its samples in order; augmented ones differ by sample, not by evaluation.

    The batches of one split must have been taken before those of the next, which are being loaded meanwhile.
    """
    loader = loader or BatchLoader([split.root for split in splits.values()])
    requests = {name: list(_evaluation_parts(name, split, seed, batch_size)) for name, split in splits.items()}
    batches = loader.batches([part] for parts in requests.values() for part in parts)
    for name, parts in requests.items():
        yield name, (batch for (batch,) in itertools.islice(batches, len(parts)))


def _evaluation_parts(name: str, split: Split, seed: int, batch_size: int) -> Iterator[Part]:
    for start in range(0, len(split), batch_size):
        places = range(start, min(start + batch_size, len(split)))
        yield split.part(places, seed, "evaluation", name)._replace(first=start)


def _class_balance(split: Split) -> np.ndarray:
    weights = make_weights_for_balanced_classes(split).double().numpy()
    return weights / weights.sum()
