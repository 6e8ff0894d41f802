"""A folder of JPEG files to measure with: four domains, ten classes, 500 x 375 pixels.

python benchmarks/jpegs.py FOLDER [--per_class 50]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from domainbed.cpus import usable_cpus

DOMAINS, CLASSES, SIZE = 4, 10, (500, 375)


def write_class(folder: Path, per_class: int, place: tuple[int, int]) -> None:
    """Smooth noise, which compresses as photographs do, in a colour of the class and a contrast of the domain."""
    domain, label = place
    stream = np.random.default_rng(place)
    directory = folder / f"domain{domain}" / f"class{label}"
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(per_class):
        coarse = stream.normal(128 + 20 * np.sin(label + np.arange(3)), 30 + 10 * domain, (38, 50, 3))
        smooth = Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
        fine = np.asarray(smooth) + stream.normal(0, 8, (SIZE[1], SIZE[0], 3))
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(directory / f"{number:04}.jpg", quality=90)


def write(folder: Path, per_class: int) -> None:
    """Write the files, one class of one domain at a time on each CPU."""
    places = [(domain, label) for domain in range(DOMAINS) for label in range(CLASSES)]
    with ProcessPoolExecutor(usable_cpus()) as pool:
        list(pool.map(partial(write_class, folder, per_class), places))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per_class", type=int, default=50, help="images of a class in a domain (default 50)")
    args = parser.parse_args()
    write(args.folder, args.per_class)
