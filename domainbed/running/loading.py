"""Which samples make up training step t, and their augmentation.

Both depend on (seed, environment, step) alone: resuming a run and the number of workers change nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from domainbed.errors import InputError
from domainbed.running.signals import leave_to_the_run
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
        num_workers: processes that decode images ahead; data in memory needs none.

    Raises:
        InputError: a split is empty.
    """

    def __init__(
        self, splits: dict[str, Split], batch_size: int, seed: int, balanced: bool = False, num_workers: int = 0
    ):
        for name, split in splits.items():
            if len(split) == 0:
                raise InputError(f"{name}: no samples left to train on; lower the holdout fraction")
        self.splits, self.batch_size, self.seed, self.num_workers = splits, batch_size, seed, num_workers
        self.probabilities = {name: _class_balance(split) if balanced else None for name, split in splits.items()}

    def batches(self, start: int, stop: int) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """The minibatches of updates start, ..., stop - 1, each a list of (x (batch_size, ...), y (batch_size,))."""
        if all(_in_memory(split) for split in self.splits.values()):
            return (self._from_memory(step) for step in range(start, stop))
        requests = (
            [request for name in self.splits for request in self._requests(name, step)] for step in range(start, stop)
        )
        return (list(batch.values()) for batch in _loaded(self.splits, requests, self.num_workers))

    def _indices(self, name: str, step: int) -> np.ndarray:
        stream = np.random.default_rng(seed_hash(self.seed, "samples", name, step))
        return stream.choice(len(self.splits[name]), self.batch_size, p=self.probabilities[name])

    def _from_memory(self, step: int) -> list[tuple[Tensor, Tensor]]:
        return [_gather(split, self._indices(name, step)) for name, split in self.splits.items()]

    def _requests(self, name: str, step: int) -> list["Request"]:
        seeds = (seed_hash(self.seed, "augmentation", name, step, place) for place in range(self.batch_size))
        return [(name, int(index), seed) for index, seed in zip(self._indices(name, step), seeds, strict=True)]


class WithoutReplacement(TrainingLoader):
    """As `TrainingLoader`, but each pass over a split is a permutation of it, without the rest that fills no batch.

    With `balanced`, samples are drawn with replacement all the same.

    Raises:
        InputError: a split is smaller than a batch.
    """

    def __init__(
        self, splits: dict[str, Split], batch_size: int, seed: int, balanced: bool = False, num_workers: int = 0
    ):
        super().__init__(splits, batch_size, seed, balanced, num_workers)
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


def evaluation_batches(name: str, split: Split, seed: int, num_workers: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
    """All samples of a split in order, in batches of 64; augmented ones differ by sample, not by evaluation."""
    if _in_memory(split):
        places = np.arange(len(split))
        return (_gather(split, places[i : i + EVALUATION_BATCH]) for i in range(0, len(split), EVALUATION_BATCH))
    requests = [(name, index, seed_hash(seed, "evaluation", name, index)) for index in range(len(split))]
    batches = (requests[i : i + EVALUATION_BATCH] for i in range(0, len(requests), EVALUATION_BATCH))
    return (batch[name] for batch in _loaded({name: split}, batches, num_workers))


Request = tuple[str, int, int]
"""A sample's split, its index there, and the seed of its augmentation."""


class _Seeded(Dataset[Any]):
    """Answers a request with the sample, whatever the state of the global generator, and leaves that untouched."""

    def __init__(self, splits: dict[str, Split]):
        self.splits = splits

    def __getitem__(self, request: Request) -> tuple[str, Any]:
        name, index, seed = request
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            return name, self.splits[name][index]


def _loaded(splits: dict[str, Split], batches: Iterator[list[Request]], num_workers: int) -> Iterator[Any]:
    # Without a generator the loader would draw a base seed from the global one.
    generator = torch.Generator().manual_seed(0)
    dataset = _Seeded(splits)
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_collate,
        num_workers=num_workers,
        worker_init_fn=leave_to_the_run,
        generator=generator,
    )
    try:
        yield from loader
    except InputError as error:
        raise InputError(_message(error)) from None


def _message(error: InputError) -> str:
    """Its message alone, without the traceback from a worker that the DataLoader puts before it."""
    text = str(error)
    return text.partition(f"{InputError.__module__}.{InputError.__qualname__}: ")[2].rstrip() or text


def _collate(items: list[tuple[str, Any]]) -> dict[str, tuple[Tensor, Tensor]]:
    groups: dict[str, list[Any]] = {}
    for name, item in items:
        groups.setdefault(name, []).append(item)
    return {
        name: (torch.stack([x for x, _ in group]), torch.tensor([int(y) for _, y in group]))
        for name, group in groups.items()
    }


def _in_memory(split: Split) -> bool:
    return isinstance(split.underlying_dataset, TensorDataset)


def _gather(split: Split, places: np.ndarray) -> tuple[Tensor, Tensor]:
    keys = [split.keys[place] for place in places]
    x, y = split.underlying_dataset.tensors
    return x[keys], y[keys]


def _class_balance(split: Split) -> np.ndarray:
    weights = make_weights_for_balanced_classes(split).double().numpy()
    return weights / weights.sum()
