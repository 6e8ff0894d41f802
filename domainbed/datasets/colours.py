"""Colour jitter and loss of colour of one image on the CPU, by OpenCV: what `augmentation.recoloured` does to batches.

Both compute what Pillow does on 8-bit images; a pixel differs where they round otherwise.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

cv2.setNumThreads(1)  # each worker has an image of its own

LEVELS = np.arange(256, dtype=np.float32)
TRUNCATE = -0.499
"""Added to what OpenCV rounds, so that it is cut off as Pillow does, whole numbers excepted."""

ABOVE = 1e-3
"""Added to what is cut off, so that whole numbers which float32 misses by a little stay."""


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
    hue *= 255 / 360
    hue += ABOVE
    np.floor(hue, out=hue)
    hue += shift
    hue[hue >= 256] -= 256
    hue *= 360 / 255
    saturation *= 255
    saturation += ABOVE
    np.floor(saturation, out=saturation)
    saturation /= 255
    shifted = cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2RGB)
    return cv2.convertScaleAbs(shifted)


CHANGES = (_brighter, _contrasted, _saturated, _hue_shifted)
