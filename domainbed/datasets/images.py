"""Image files: finding and reading them, and the transforms that turn images into tensors."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from domainbed.datasets.augmentation import ImageTransform
from domainbed.datasets.image_cache import ImageCache
from domainbed.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

Transform = Callable[[Any], Tensor]


class LabelledImages(Dataset[Any]):
    """Image files with labels; an item is (transform(image), label). `targets` lists the labels without reading.

    Raises:
        InputError: on access, naming a file that cannot be read.
    """

    def __init__(self, samples: Sequence[tuple[str, int]], transform: Transform):
        self.samples = list(samples)
        self.targets = [label for _, label in self.samples]
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        return self.transform(read_image(path)), label

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, index: int, transform: ImageTransform, cache: ImageCache | None) -> np.ndarray:
        """`transform.pixels` of an image, from the cache if there is one; raises as access does."""
        path, _ = self.samples[index]
        if cache is None:
            return transform.pixels(read_image(path))
        return cache.image(path, transform.stored_size, lambda: transform.pixels(read_image(path)))

    def missing_bytes(self, transform: ImageTransform, cache: ImageCache) -> int:
        """About how many bytes the images would still add to the cache."""
        return cache.missing_bytes([path for path, _ in self.samples], transform.stored_size)


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones and files are passed over."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def image_files(folder: Path) -> list[str]:
    """The paths of the images below a folder, in the order of torchvision's ImageFolder; nothing that is hidden."""
    found = []
    for parent, subfolders, names in os.walk(folder, followlinks=True):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found.append((parent, [name for name in names if not name.startswith(".")]))
    return [
        os.path.join(parent, name)
        for parent, names in sorted(found)
        for name in sorted(names)
        if name.lower().endswith(SUFFIXES)
    ]


def read_image(path: str) -> Any:
    """The whole image as a PIL image with three channels.

    Raises:
        InputError: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except Exception as error:  # PIL's readers raise whatever the damage leads to
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as an image ({reason}); restore it, or delete it") from error


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
