"""Renders the four environments of `Styles`, always the same ones. Images are (n, SIDE, SIDE, 3) uint8."""

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np

from domainbed.datasets.style_fonts import Drawing, check_fonts, drawings, font_file

SIDE = 96
DRAWN = 128  # the size in which a drawing leaves its font, in pixels
EXTENT = (0.7, 0.95)  # the longer side of a drawing, as a share of SIDE
ANGLE = 15  # the largest, in degrees
FLAT = ("Font Awesome", "Phosphor", "Remix Icon", "Elusive Icons")
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

Colour = tuple[int, int, int]
Labelled = tuple[np.ndarray, np.ndarray]


def build() -> dict[str, Labelled]:
    """Environment -> images and indices of classes (n,) int64.

    Raises:
        InputError: a font is missing, or another version.
    """
    check_fonts()
    flat = [_rendered(name, _flat, np.random.RandomState(10 + i)) for i, name in enumerate(FLAT)]
    return {
        "emoji": _rendered("OpenMoji", _emoji, np.random.RandomState(0)),
        "flat": (np.concatenate([x for x, _ in flat]), np.concatenate([y for _, y in flat])),
        "ink": _rendered("Noto Emoji", _ink, np.random.RandomState(1)),
        "photo": _rendered("Material Design Icons", _photographs(), np.random.RandomState(2)),
    }


def _rendered(font: str, render: Callable[..., np.ndarray], random: np.random.RandomState) -> Labelled:
    """Each drawing of a font, once."""
    from PIL import ImageFont

    typeface = ImageFont.truetype(font_file(font), DRAWN, layout_engine=ImageFont.Layout.BASIC)
    chosen: list[Drawing] = drawings(font)
    images = [render(typeface, character, random) for character, _ in chosen]
    return np.stack(images), np.array([label for _, label in chosen], np.int64)


def _emoji(typeface: Any, character: str, random: np.random.RandomState) -> np.ndarray:
    """In the colours of the font, on a pale ground."""
    return _placed(typeface, character, BLACK, _grey(random, 225, 255), random)


def _ink(typeface: Any, character: str, random: np.random.RandomState) -> np.ndarray:
    """Black lines, fine to bold, on white."""
    typeface.set_variation_by_axes([random.choice([300, 400, 500, 600, 700])])
    return _placed(typeface, character, _grey(random, 0, 60), _grey(random, 235, 255), random)


def _flat(typeface: Any, character: str, random: np.random.RandomState) -> np.ndarray:
    """White on a strong colour, or the colour on another, pale one."""
    hue, other = random.uniform(size=2)
    strong = _colour(hue, random.uniform(0.6, 1), random.uniform(0.45, 0.8))
    pale = WHITE if random.uniform() < 0.5 else _colour(other, random.uniform(0.1, 0.35), 1)
    ink, paper = (pale, strong) if random.uniform() < 0.7 else (strong, pale)
    return _placed(typeface, character, ink, paper, random)


def _photographs() -> Callable[..., np.ndarray]:
    """A shape cut out of a photograph, laid over another piece; one of the two darkened, the other lightened."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images

    def piece(random: np.random.RandomState) -> np.ndarray:
        photograph = photographs[random.randint(len(photographs))]
        top, left = (random.randint(size - SIDE + 1) for size in photograph.shape[:2])
        return photograph[top : top + SIDE, left : left + SIDE] / 2

    def render(typeface: Any, character: str, random: np.random.RandomState) -> np.ndarray:
        share = _placed(typeface, character, WHITE, BLACK, random) / 255
        dark, light = piece(random), piece(random) + 127
        inside, outside = (dark, light) if random.uniform() < 0.5 else (light, dark)
        return np.round(share * inside + (1 - share) * outside).astype(np.uint8)

    return render


def _placed(typeface: Any, character: str, ink: Colour, paper: Colour, random: np.random.RandomState) -> np.ndarray:
    """One drawing in random angle, size and place; a font with colours ignores `ink`."""
    from PIL import Image, ImageChops, ImageDraw

    canvas = Image.new("RGB", (2 * DRAWN, 2 * DRAWN), paper)
    ImageDraw.Draw(canvas).text((DRAWN, DRAWN), character, fill=ink, font=typeface, anchor="mm", embedded_color=True)
    drawing = canvas.crop(ImageChops.difference(canvas, Image.new("RGB", canvas.size, paper)).getbbox())
    turned = drawing.rotate(random.uniform(-ANGLE, ANGLE), Image.Resampling.BILINEAR, expand=True, fillcolor=paper)
    scale = SIDE * random.uniform(*EXTENT) / max(turned.size)
    width, height = (round(side * scale) for side in turned.size)
    image = Image.new("RGB", (SIDE, SIDE), paper)
    place = random.randint(SIDE - width + 1), random.randint(SIDE - height + 1)
    image.paste(turned.resize((width, height), Image.Resampling.LANCZOS), place)
    return np.asarray(image)


def _grey(random: np.random.RandomState, low: int, high: int) -> Colour:
    level = int(random.randint(low, high + 1))
    return level, level, level


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue
