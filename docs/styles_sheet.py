"""Draws styles.png, the contact sheet of the dataset Styles: python docs/styles_sheet.py"""

from pathlib import Path

import numpy as np
from PIL import Image

from domainbed.datasets.style_fonts import CLASSES
from domainbed.datasets.styles import load

EACH = 2  # images of a class in an environment
SIDE = 64


def sheet() -> Image.Image:
    """A column for each class, EACH rows for each environment."""
    random = np.random.RandomState(0)
    rows = []
    for x, y in load(None).values():
        chosen = [random.choice(np.flatnonzero(y == label), EACH, replace=False) for label in range(len(CLASSES))]
        rows += [np.concatenate(list(x[row]), axis=1) for row in np.transpose(chosen)]
    large = Image.fromarray(np.concatenate(rows))
    return large.resize((len(CLASSES) * SIDE, len(rows) * SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sheet().quantize(128).save(Path(__file__).with_name("styles.png"), optimize=True)
