"""The image transforms on uint8 tensors, several times as fast as on PIL images and equal to those up to rounding.

A transform draws the same numbers from torch's generator in both forms, so that the same seed gives the same crop, flip
and colours. Whatever is done to one image alone (decode, resize, crop, flip) is done where the image is loaded; colours
are a function of a batch of tensors, on any device. docs/loading.md says how far the two are from each other.

Sources: torchvision's transforms, Pillow's conversions between RGB, L and HSV (its C code, Convert.c, after colorsys).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of the channels, red first, on ImageNet
GREY = (19595 / 2**16, 38470 / 2**16, 7471 / 2**16)  # weights of red, green, blue in Pillow's L
FLIP, COLOURLESS = 0.5, 0.1  # probabilities


class Draw(NamedTuple):
    """The random numbers of one image: crop (top, left, height, width), flip, colours."""

    crop: tuple[int, int, int, int] | None
    flip: bool
    colours: list[float]
    """The four colour changes in their order (0 brightness, 1 contrast, 2 saturation, 3 hue), the factors of the first
    three, the shift of the hue in 1/256 of the circle, and 1 for loss of colour, else 0: nine numbers."""


class ImageTransform:
    """PIL image -> (3, size, size) float32, normalised as for ImageNet: `self(image)`; or the same in parts.

    Args:
        geometry: v2.Resize, v2.RandomResizedCrop, or that order of both.
        random: whether a random flip, colour jitter and loss of colour follow.
    """

    def __init__(self, *geometry: Any, random: bool):
        from torchvision.transforms import v2

        self.random = random
        self.resize: Any = next((step for step in geometry if isinstance(step, v2.Resize)), None)
        self.crop: Any = next((step for step in geometry if isinstance(step, v2.RandomResizedCrop)), None)
        self.jitter = v2.ColorJitter(0.3, 0.3, 0.3, 0.3)
        changes = [v2.RandomHorizontalFlip(FLIP), self.jitter, v2.RandomGrayscale(COLOURLESS)] if random else []
        to_float = v2.ToDtype(torch.float32, scale=True)
        self.exact = v2.Compose([*geometry, *changes, v2.PILToTensor(), to_float, v2.Normalize(MEAN, STD)])

    def __call__(self, image: Any) -> Tensor:
        """The transforms one by one on a PIL image of mode RGB; random numbers from torch's global generator."""
        return self.exact(image)

    @property
    def stored_size(self) -> tuple[int, int] | None:
        """Height and width to which every image is resized before anything random is done; None: not resized."""
        return tuple(self.resize.size) if self.resize else None

    def pixels(self, image: Any) -> np.ndarray:
        """(height, width, 3) uint8 of a PIL image of mode RGB, resized to `stored_size`."""
        return np.array(self.resize(image) if self.resize else image)

    def draw(self, height: int, width: int) -> Draw:
        """Random numbers for an image of that size, as `self(image)` draws them from torch's global generator."""
        from torchvision import transforms

        crop = None
        if self.crop:
            image = torch.empty(1).expand(3, height, width)
            crop = transforms.RandomResizedCrop.get_params(image, list(self.crop.scale), list(self.crop.ratio))
        flip = torch.rand(1).item() < FLIP
        ranges = (self.jitter.brightness, self.jitter.contrast, self.jitter.saturation, self.jitter.hue)
        order, *factors, hue = transforms.ColorJitter.get_params(*ranges)
        colourless = torch.rand(1).item() < COLOURLESS
        return Draw(crop, flip, [*order.tolist(), *factors, int(hue * 255) % 256, colourless])

    def placed(self, image: Tensor, draw: Draw) -> Tensor:
        """Crop, resize to the size of the crop, and flip: (3, height, width) -> (3, size, size), both uint8."""
        if self.crop and draw.crop:
            top, left, height, width = draw.crop
            cropped = image[:, top : top + height, left : left + width]
            image = resized(cropped, tuple(self.crop.size))
        return image.flip(-1) if draw.flip else image


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(3, height, width) uint8, resized as PIL does, with a triangle filter that is widened where it shrinks."""
    if tuple(image.shape[1:]) == size:
        return image
    options: dict[str, Any] = {"mode": "bilinear", "antialias": True, "align_corners": False}
    return torch.nn.functional.interpolate(image[None], size, **options)[0]


def recoloured(x: Tensor, colours: Tensor) -> Tensor:
    """Colour jitter and loss of colour, each image by its own draw, as PIL does them on uint8.

    Args:
        x: (n, 3, height, width) float32, whole numbers from 0 to 255; overwritten.
        colours: (n, 9), `Draw.colours`; on the CPU.

    Returns:
        x, whole numbers from 0 to 255.
    """
    rows = colours.tolist()
    for place in range(4):
        for kind, change in enumerate(CHANGES):
            chosen = [n for n, row in enumerate(rows) if row[place] == kind]
            _change(x, chosen, change, [rows[n][4 + kind] for n in chosen])
    return _change(x, [n for n, row in enumerate(rows) if row[8]], _colourless, [])


def _change(x: Tensor, chosen: list[int], change: Callable[[Tensor, Tensor], Tensor], values: list[float]) -> Tensor:
    """Overwrite the images `chosen` of x by what `change` makes of them with the values (n, 1, 1, 1)."""
    if not chosen:
        return x
    factors = torch.tensor(values, device=x.device)[:, None, None, None]
    if len(chosen) == len(x):
        return x.copy_(change(x, factors))
    index = torch.tensor(chosen, device=x.device)
    return x.index_copy_(0, index, change(x[index], factors))


def _grey(x: Tensor) -> Tensor:
    """(n, 1, height, width): Pillow's L."""
    red, green, blue = x.split(1, dim=1)
    return (red * GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2]).add_(0.5).floor_()


def _colourless(x: Tensor, _: Tensor) -> Tensor:
    return _grey(x).expand_as(x)


def _uint8(x: Tensor) -> Tensor:
    """As a conversion to uint8 in C does after clipping."""
    return x.clamp_(0, 255).floor_()


def _brighter(x: Tensor, factor: Tensor) -> Tensor:
    return _uint8(x.mul_(factor))


def _contrasted(x: Tensor, factor: Tensor) -> Tensor:
    mean = _grey(x).mean(dim=(1, 2, 3), keepdim=True).add_(0.5).floor_()
    return _uint8(x.mul_(factor).add_(mean * (1 - factor)))


def _saturated(x: Tensor, factor: Tensor) -> Tensor:
    grey = _grey(x).mul_(1 - factor)
    return _uint8(x.mul_(factor).add_(grey))


def _hue_shifted(x: Tensor, shift: Tensor) -> Tensor:
    """Through Pillow's HSV, where hue and saturation have 8 bits. Written without conditions, which are slow."""
    red, green, blue = x.split(1, dim=1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    to_red, to_green, to_blue = ((value - colour).div_(chroma.clamp(min=1)) for colour in (red, green, blue))
    hue = (to_green - to_red).add_(4)
    hue.lerp_((to_red - to_blue).add_(2), (green - value).add_(1).clamp_(min=0))  # where green is the value
    hue.lerp_(to_blue.sub_(to_green), (red - value).add_(1).clamp_(min=0))
    hue.div_(6)
    hue.sub_(hue.floor())
    steps = hue * 256  # the whole part of 255 hue, exactly, where a product would round up
    whole = steps.floor()
    hue = steps.sub_(whole).sub_(hue).floor_().add_(whole).add_(shift)
    hue.sub_((hue / 256).floor_(), alpha=256).mul_(6 / 255)
    saturation = chroma.mul_(255).div_(value.clamp(min=1)).floor_().div_(255)
    chroma, value = saturation.mul_(value), value.add_(0.5)  # half, to round
    for channel, (centre, sign, distance) in enumerate([(3, 1, -2), (2, -1, 1), (4, -1, 1)]):
        # value - chroma (1 - weight): the weight is 1 in a third of the circle, 0 in another, between them a slope.
        less = torch.sub(hue, centre).abs_().mul_(sign).add_(distance).clamp_(-1, 0)
        torch.addcmul(value, less, chroma, out=x[:, channel : channel + 1])
    return x.floor_()


CHANGES = (_brighter, _contrasted, _saturated, _hue_shifted)


def normalised(x: Tensor) -> Tensor:
    """(n, 3, height, width) with values from 0 to 255 -> float32, normalised as for ImageNet."""
    mean, std = (255 * torch.tensor(values, device=x.device) for values in (MEAN, STD))
    # In one pass: a difference and a quotient that are broadcast take several times as long.
    return torch.nn.functional.batch_norm(x.to(torch.float32), mean, std**2, eps=0)
