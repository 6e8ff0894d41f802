"""Deterministic construction of the four environments of `Digits`. Images are (n, 3, 28, 28) uint8."""

from pathlib import Path
from typing import Any

import numpy as np

from domainbed.datasets.mnist_files import mnist_sample

SIDE = 28
FONTS = [  # those of every matplotlib since 3.8
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmtt10"),
]
FONT_IMAGES = 2000
LUMINANCE = np.array([0.299, 0.587, 0.114])
CONTRAST = 150  # of 255, between the luminance of a rendered digit and of its background
DARK = 0.3  # the share of rendered digits that are darker than their background

Labelled = tuple[np.ndarray, np.ndarray]


def build() -> dict[str, Labelled]:
    """Environment -> images and digits (n,) int64."""
    images, digits = mnist_sample()
    first = _stratified_half(digits, np.random.RandomState(0))
    return {
        "mnist": (_gray(images[first]), digits[first]),
        "photo": (over_photographs(images[~first], np.random.RandomState(1)), digits[~first]),
        "optdigits": optdigits(),
        "fonts": rendered(FONT_IMAGES, np.random.RandomState(2)),
    }


def over_photographs(images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """|crop - image| for a random crop of scikit-learn's photographs; images (n, 28, 28) uint8."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    blended = np.empty((len(images), SIDE, SIDE, 3), np.uint8)
    for i, image in enumerate(images):
        photograph = photographs[random.randint(len(photographs))]
        top, left = (random.randint(size - SIDE + 1) for size in photograph.shape[:2])
        crop = photograph[top : top + SIDE, left : left + SIDE]
        blended[i] = np.abs(crop.astype(np.int16) - image[:, :, None])
    return np.ascontiguousarray(blended.transpose(0, 3, 1, 2))


def optdigits() -> Labelled:
    """The scanned digits of scikit-learn, 8 x 8 with values up to 16, enlarged bilinearly."""
    from PIL import Image
    from sklearn.datasets import load_digits

    scans, digits = load_digits(return_X_y=True)
    small = np.round(scans.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(scan).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for scan in small]
    return _gray(np.stack(large)), digits.astype(np.int64)


def rendered(n: int, random: np.random.RandomState) -> Labelled:
    """n digits in the fonts of matplotlib, equally many of each."""
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    digits = np.arange(n, dtype=np.int64) % 10
    images = [_render(int(digit), folder / f"{FONTS[random.randint(len(FONTS))]}.ttf", random) for digit in digits]
    return np.stack(images), digits


def _render(digit: int, font: Path, random: np.random.RandomState) -> np.ndarray:
    """One digit (3, 28, 28) in random size, place, angle and colours."""
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.new("L", (SIDE, SIDE))
    centre = (SIDE / 2 + random.uniform(-1.5, 1.5), SIDE / 2 + random.uniform(-1.5, 1.5))
    typeface = ImageFont.truetype(font, random.randint(23, 31), layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(canvas).text(centre, str(digit), fill=255, font=typeface, anchor="mm")
    turned = canvas.rotate(random.uniform(-10, 10), Image.Resampling.BILINEAR, center=centre)
    ink, paper = _colours(random)
    share = np.asarray(turned)[None] / 255
    return np.round(share * ink[:, None, None] + (1 - share) * paper[:, None, None]).astype(np.uint8)


def _colours(random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Of the digit and of its background, (3,) each in 0 ... 255; their luminances differ by CONTRAST or more."""
    while True:
        light, dark = random.uniform(0, 255, (2, 3))
        if (light - dark) @ LUMINANCE >= CONTRAST:
            return (dark, light) if random.uniform() < DARK else (light, dark)


def _stratified_half(labels: np.ndarray, random: np.random.RandomState) -> Any:
    """Boolean mask (n,) of a random half of the items of each class."""
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        mask[members[: len(members) // 2]] = True
    return mask


def _gray(images: np.ndarray) -> np.ndarray:
    return np.repeat(images[:, None], 3, axis=1)
