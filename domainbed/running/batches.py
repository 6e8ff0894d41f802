"""Loading batches of samples, in worker processes where images must be decoded, and bringing them to the device.

Images cross processes as uint8. Whatever changes their colours is done by the workers where the run is on the CPU, and
for whole batches on the device where there is one; there they become floats in either case.
"""

import contextlib
import itertools
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from domainbed.algorithms.base import Minibatch
from domainbed.datasets.augmentation import ImageTransform, normalised, recoloured
from domainbed.datasets.image_cache import ImageCache
from domainbed.running.workers import Workers
from domainbed.seeds import seed_hash

PIECE = 32  # samples that a worker sends at once: a container's shared memory is small, often 64 MB


class Part(NamedTuple):
    """The samples `keys` of a dataset; the i-th one's augmentation has the seed of (*stream, first + i)."""

    dataset: Any
    keys: list[int]
    stream: tuple[object, ...]
    first: int = 0

    def seeds(self) -> list[int]:
        """One for each sample."""
        return [seed_hash(*self.stream, self.first + i) for i in range(len(self.keys))]

    def pieces(self) -> "list[Part]":
        """The same samples in parts of at most PIECE."""
        starts = range(0, len(self.keys), PIECE)
        return [self._replace(keys=self.keys[n : n + PIECE], first=self.first + n) for n in starts]


class Loaded(NamedTuple):
    """What a worker sends: x as uint8 images or finished floats, labels, and colours that are still to be changed."""

    x: Tensor
    y: list[int]
    colours: Tensor | None = None


class BatchLoader:
    """Loads requested samples of some datasets, ahead of need.

    Args:
        datasets: of which samples can be requested; an item is (x, y).
        num_workers: processes that load samples; 0 for none. They start with the first batch and live until `close`.
            Data in memory (a TensorDataset) needs none.
        device: of the batches.
        exact: transform images one by one as PIL images.
        cache: of decoded images.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        num_workers: int = 0,
        device: torch.device | str = "cpu",
        exact: bool = False,
        cache: ImageCache | None = None,
    ):
        self.device = torch.device(device)
        self._number = {id(dataset): number for number, dataset in enumerate(datasets)}
        self._in_memory = all(isinstance(dataset, TensorDataset) for dataset in datasets)
        self._work = _Work(list(datasets), exact, cache, recolours=self.device.type == "cpu")
        self._workers = Workers(self._work, num_workers)

    def batches(self, requests: Iterable[list[Part]]) -> Iterator[list[Minibatch]]:
        """The samples of each request, as a list of (x, y) on the device.

        Raises:
            InputError: a sample cannot be read.
        """
        if self._in_memory:
            return ([self._gathered(part) for part in request] for request in requests)
        return self._loaded(requests)

    def description(self) -> dict[str, str]:
        """How images are transformed and where they are cached, for a header; {} where there are none to transform."""
        found_in = {dataset: _transform(dataset) for dataset in self._work.datasets}
        transforms = {dataset: transform for dataset, transform in found_in.items() if transform}
        if not transforms:
            return {}
        if self._work.exact:
            return {"transforms": "exact, on PIL images", "cache": "none"}
        fast = {"transforms": "fast, by OpenCV" if self._work.recolours else "fast, on tensors"}
        cache = self._work.cache
        files = {dataset: found for dataset, found in transforms.items() if hasattr(dataset, "missing_bytes")}
        if cache is None or not files:
            return fast | {"cache": "none"}
        missing = sum(dataset.missing_bytes(transform, cache) for dataset, transform in files.items())
        return fast | {"cache": cache.announce(missing)}

    def close(self) -> None:
        """End the workers."""
        self._workers.close()

    def _gathered(self, part: Part) -> Minibatch:
        keys = torch.tensor(part.keys)
        x, y = part.dataset.tensors
        return x.index_select(0, keys).to(self.device), y.index_select(0, keys).to(self.device)

    def _loaded(self, requests: Iterable[list[Part]]) -> Iterator[list[Minibatch]]:
        counts = deque[list[int]]()  # of the pieces of each part, of the requests whose samples are being loaded

        def tasks() -> Iterator[Part]:
            for request in requests:
                parts = [part._replace(dataset=self._number[id(part.dataset)]).pieces() for part in request]
                counts.append([len(pieces) for pieces in parts])
                yield from itertools.chain(*parts)

        results = map(self._received, self._workers.results(tasks()))
        for first in results:
            pieces = itertools.chain([first], results)
            yield self._minibatches([list(itertools.islice(pieces, count)) for count in counts.popleft()])

    def _received(self, piece: Loaded) -> Loaded:
        """With x on the device, which frees the shared memory that it crossed processes in."""
        if self.device.type == "cpu":
            return piece
        x = piece.x.pin_memory() if self.device.type == "cuda" else piece.x
        return piece._replace(x=x.to(self.device, non_blocking=True))

    def _minibatches(self, parts: list[list[Loaded]]) -> list[Minibatch]:
        """One of each part, whose pieces are joined."""
        pieces = [piece for part in parts for piece in part]
        alike = len({(piece.x.dtype, piece.x.shape[1:], piece.colours is None) for piece in pieces}) == 1
        if len(parts) > 1 and (self.device.type == "cpu" or not alike):
            return [minibatch for part in parts for minibatch in self._minibatches([part])]
        x = torch.cat([piece.x for piece in pieces]) if len(pieces) > 1 else pieces[0].x
        colours = [piece.colours for piece in pieces if piece.colours is not None]
        if colours:
            x = recoloured(x.float(), torch.cat(colours))
        if pieces[0].x.dtype == torch.uint8:
            x = self._normalised(x)
        ys = [torch.tensor([y for piece in part for y in piece.y]).to(self.device) for part in parts]
        return list(zip(x.split([len(y) for y in ys]), ys, strict=True))

    def _normalised(self, x: Tensor) -> Tensor:
        if self.device.type != "cpu" or x.dtype != torch.uint8:
            return normalised(x)
        from domainbed.datasets import colours

        return colours.normalised_bytes(x)


class _Work:
    """Loads the samples of a part, whose dataset is given by its number; leaves the global generator untouched."""

    def __init__(self, datasets: list[Any], exact: bool, cache: ImageCache | None, recolours: bool):
        self.datasets, self.exact, self.cache, self.recolours = datasets, exact, cache, recolours

    def __call__(self, part: Part) -> Loaded:
        dataset = self.datasets[part.dataset]
        with _generators_kept():
            transform = _transform(dataset)
            if transform and not self.exact:
                return self._images(dataset, transform, part)
            return self._items(dataset, part)

    def _items(self, dataset: Any, part: Part) -> Loaded:
        items = []
        for key, seed in zip(part.keys, part.seeds(), strict=True):
            _seed(seed)
            items.append(dataset[key])
        return Loaded(torch.stack([x for x, _ in items]), [int(y) for _, y in items])

    def _images(self, dataset: Any, transform: ImageTransform, part: Part) -> Loaded:
        images, draws = [], []
        for key, seed in zip(part.keys, part.seeds(), strict=True):
            pixels = dataset.pixels(key, transform, self.cache)
            image = torch.from_numpy(pixels).permute(2, 0, 1)
            if transform.random:
                torch.default_generator.manual_seed(seed)
                draws.append(transform.draw(*pixels.shape[:2]))
                image = transform.placed(image, draws[-1])
            images.append(image)
        y = [int(dataset.targets[key]) for key in part.keys]
        changes = [draw.colours for draw in draws]
        if not self.recolours:
            return Loaded(torch.stack(images), y, torch.tensor(changes) if changes else None)
        from domainbed.datasets import colours  # OpenCV, which a run with a GPU does without

        return Loaded(colours.batch(images, changes), y)


def _transform(dataset: Any) -> ImageTransform | None:
    """The transform of a dataset that delivers pixels for it; None for others, whose items are taken as they are."""
    transform = getattr(dataset, "transform", None)
    return transform if isinstance(transform, ImageTransform) and hasattr(dataset, "pixels") else None


def _seed(seed: int) -> None:
    """Seed the generators from which the item of a dataset may draw."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
