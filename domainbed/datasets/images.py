"""Image files as a dataset, and the transforms that turn images into tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from domainbed.datasets.reading import read_image

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of the channels, red first, on ImageNet

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


def resize(size: int) -> Any:
    """To exactly size x size."""
    from torchvision.transforms import v2

    return v2.Resize((size, size))


def random_crop(size: int) -> Any:
    """A part of at least 70 % of the area, resized to size x size."""
    from torchvision.transforms import v2

    return v2.RandomResizedCrop(size, scale=(0.7, 1.0))


def plain(size: int) -> Transform:
    """PIL image -> (3, size, size) float32, normalised as for ImageNet."""
    from torchvision.transforms import v2

    return v2.Compose([resize(size), *_normalized()])


def augmented(*geometry: Any) -> Transform:
    """PIL image -> tensor: `geometry`, then a random flip, colour jitter and loss of colour, and as `plain`.

    Everything random comes from torch's global generator.
    """
    from torchvision.transforms import v2

    flip, jitter = v2.RandomHorizontalFlip(), v2.ColorJitter(0.3, 0.3, 0.3, 0.3)
    return v2.Compose([*geometry, flip, jitter, v2.RandomGrayscale(), *_normalized()])


def _normalized() -> list[Any]:
    from torchvision.transforms import v2

    to_float = v2.ToDtype(torch.float32, scale=True)
    return [v2.PILToTensor(), to_float, v2.Normalize(MEAN, STD)]
