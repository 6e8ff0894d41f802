"""DomainBed's loaders, for code that imports them; training here draws its samples by domainbed.running.loading."""

from collections.abc import Iterator, Sized
from typing import Any

from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, Sampler, WeightedRandomSampler

from domainbed.errors import InputError


class _EndlessSampler(Sampler[list[int]]):
    def __init__(self, batches: BatchSampler):
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            yield from self.batches


class _EndlessLoader:
    """Batches without end from one iterator, whose workers start here and live as long as the loader."""

    def __init__(self, dataset: Any, batches: BatchSampler, num_workers: int):
        self._iterator = iter(DataLoader(dataset, batch_sampler=_EndlessSampler(batches), num_workers=num_workers))

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield next(self._iterator)

    def __len__(self) -> int:
        raise ValueError("an infinite loader has no length")


class InfiniteDataLoader(_EndlessLoader):
    """Full batches for ever, sampled with replacement.

    Args:
        weights: (N,), how likely each item is drawn; None: all alike, in passes of N draws.

    Raises:
        InputError: without weights, fewer items than a batch has.
    """

    def __init__(self, dataset: Any, weights: Tensor | None, batch_size: int, num_workers: int):
        batches = _full_batches(dataset, weights, batch_size, replacement=True)
        super().__init__(dataset, batches, num_workers)


class InfiniteDataLoaderWithoutReplacement(_EndlessLoader):
    """As `InfiniteDataLoader`, but without weights each pass is a permutation of the items."""

    def __init__(self, dataset: Any, weights: Tensor | None, batch_size: int, num_workers: int):
        batches = _full_batches(dataset, weights, batch_size, replacement=False)
        super().__init__(dataset, batches, num_workers)


class FastDataLoader(_EndlessLoader):
    """One reshuffled pass per iteration, the last batch maybe short; an iteration broken off is resumed by the next.

    Raises:
        InputError: there are no items.
    """

    def __init__(self, dataset: Any, batch_size: int, num_workers: int):
        _require(dataset, 1)
        self._batches = BatchSampler(RandomSampler(dataset), batch_size, drop_last=False)
        super().__init__(dataset, self._batches, num_workers)

    def __iter__(self) -> Iterator[Any]:
        for _ in range(len(self)):
            yield next(self._iterator)

    def __len__(self) -> int:
        return len(self._batches)


def _full_batches(dataset: Any, weights: Tensor | None, batch_size: int, replacement: bool) -> BatchSampler:
    if weights is not None:
        draws = WeightedRandomSampler(weights, batch_size)  # type: ignore[arg-type]
        return BatchSampler(draws, batch_size, drop_last=True)
    _require(dataset, batch_size)
    return BatchSampler(RandomSampler(dataset, replacement=replacement), batch_size, drop_last=True)


def _require(dataset: Sized, items: int) -> None:
    if len(dataset) < items:
        raise InputError(f"the loader needs at least {items} items to fill a batch, the dataset has {len(dataset)}")
