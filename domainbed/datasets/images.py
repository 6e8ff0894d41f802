"""Image files as a dataset, and the transforms that turn images into tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from domainbed.datasets.augmentation import ImageTransform
from domainbed.datasets.image_cache import ImageCache
from domainbed.datasets.reading import read_image

Transform = Callable[[Any], Tensor]


class LabelledImages(Dataset[Any]):
    """Image files with labels; an item is (transform(image), label). `targets` lists the labels without reading.

    Args:
        samples: (path, label) of each image.
        transform: of a PIL image of mode RGB.
        tolerate_truncated: as for `read_image`.

    Raises:
        InputError: on access, naming a file that cannot be read.
    """

    def __init__(self, samples: Sequence[tuple[str, int]], transform: Transform, tolerate_truncated: bool = False):
        self.samples = list(samples)
        self.targets = [label for _, label in self.samples]
        self.transform = transform
        self.tolerate_truncated = tolerate_truncated

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        return self.transform(read_image(path, self.tolerate_truncated)), label

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, index: int, transform: ImageTransform, cache: ImageCache | None) -> np.ndarray:
        """`transform.pixels` of an image, from the cache if there is one; raises as access does."""
        path, _ = self.samples[index]

        def decoded() -> np.ndarray:
            return transform.pixels(read_image(path, self.tolerate_truncated))

        return decoded() if cache is None else cache.image(path, transform.stored_size, decoded)

    def missing_bytes(self, transform: ImageTransform, cache: ImageCache) -> int:
        """About how many bytes the images would still add to the cache."""
        return cache.missing_bytes([path for path, _ in self.samples], transform.stored_size)


def resize(size: int) -> Any:
    """To exactly size x size."""
    from torchvision.transforms import v2

    return v2.Resize((size, size))


def random_crop(size: int) -> Any:
    """A part of at least 70 % of the area, resized to size x size."""
    from torchvision.transforms import v2

    return v2.RandomResizedCrop(size, scale=(0.7, 1.0))


def plain(size: int) -> ImageTransform:
    """PIL image -> (3, size, size) float32, normalised as for ImageNet."""
    return ImageTransform(resize(size), random=False)


def augmented(*geometry: Any) -> ImageTransform:
    """PIL image -> tensor: `geometry`, then a random flip, colour jitter and loss of colour, and as `plain`.

    Everything random comes from torch's global generator.
    """
    return ImageTransform(*geometry, random=True)
