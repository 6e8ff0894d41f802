"""Colour jitter, loss of colour and normalisation on the CPU, by OpenCV: `augmentation` does the same on any device.

Both compute what Pillow does on 8-bit images; a pixel differs where they round otherwise.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from domainbed.datasets.augmentation import normalised

cv2.setNumThreads(1)  # each worker has an image of its own

LEVELS = np.arange(256, dtype=np.float32)
TRUNCATE = -0.499
"""Added to what OpenCV rounds, so that it is cut off as Pillow does, whole numbers excepted."""


def batch(images: Sequence[Tensor], changes: Sequence[Sequence[float]]) -> Tensor:
    """The images as one tensor (n, 3, height, width) uint8, recoloured if there are changes.

    Args:
        images: (3, height, width) uint8, all of one size.
        changes: a `Draw.colours` for each image, or none at all.
    """
    x = np.empty((len(images), *images[0].shape), np.uint8)
    for n, image in enumerate(images):
        # Merging planes is several times as fast as a copy in another order, and so is splitting below.
        pixels = recoloured(cv2.merge(list(image.numpy())), changes[n]) if changes else image.permute(1, 2, 0).numpy()
        cv2.split(pixels, list(x[n]))
    return torch.from_numpy(x)


def normalised_bytes(x: Tensor) -> Tensor:
    """`augmentation.normalised` of uint8, bit for bit: each channel has 256 values, which are looked up."""
    levels = torch.arange(256, dtype=torch.uint8).expand(1, 3, 1, 256)
    tables = normalised(levels)[0, :, 0].numpy()
    found = torch.empty(x.shape)
    for image, result in zip(x.numpy(), found.numpy(), strict=True):
        for channel, table, plane in zip(image, tables, result, strict=True):
            cv2.LUT(channel, table, plane)
    return found


def recoloured(image: np.ndarray, colours: Sequence[float]) -> np.ndarray:
    """The image with the changes of a `Draw.colours`.

    Args:
        image: (height, width, 3) uint8, contiguous.
        colours: the order of the four changes, a factor for each, and whether the image loses its colour.
    """
    for change in colours[:4]:
        image = CHANGES[int(change)](image, colours[4 + int(change)])
    return cv2.merge([_grey(image)] * 3) if colours[8] else image


def _grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _levels(image: np.ndarray, factor: float, offset: float) -> np.ndarray:
    return cv2.LUT(image, (LEVELS * np.float32(factor) + np.float32(offset)).clip(0, 255).astype(np.uint8))


def _brighter(image: np.ndarray, factor: float) -> np.ndarray:
    return _levels(image, factor, 0)


def _contrasted(image: np.ndarray, factor: float) -> np.ndarray:
    mean = int(cv2.mean(_grey(image))[0] + 0.5)
    return _levels(image, factor, mean * (1 - factor))


def _saturated(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.addWeighted(image, factor, cv2.merge([_grey(image)] * 3), 1 - factor, TRUNCATE)


def _planes(image: Any) -> tuple[Any, Any, Any]:
    return cv2.split(image)  # type: ignore[return-value]


def _hue_shifted(image: np.ndarray, shift: float) -> np.ndarray:
    """Hue and saturation are cut off to 8 bits, as Pillow has them."""
    hue, saturation, value = _planes(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV))  # 360, 1 and 255
    shifted = (LEVELS + np.float32(shift)) % 256 * np.float32(360 / 255)
    hue = cv2.LUT(cv2.convertScaleAbs(hue, alpha=255 / 360, beta=TRUNCATE), shifted)
    saturation = cv2.LUT(cv2.convertScaleAbs(saturation, alpha=255, beta=TRUNCATE), LEVELS / 255)
    return cv2.convertScaleAbs(cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2RGB))


CHANGES = (_brighter, _contrasted, _saturated, _hue_shifted)
