"""Folders of small images."""

import os

import numpy as np
from PIL import Image

PLAIN = {"data_augmentation": False, "image_size": 16}


def make(root, name, domains, classes=("cat", "dog"), images=2):
    """root/name/<domain>/<class>/<i>.png, of 20 x 24 random pixels."""
    random = np.random.RandomState(0)
    for domain in domains:
        for label in classes:
            folder = root / name / domain / label
            folder.mkdir(parents=True)
            for i in range(images):
                Image.fromarray(random.randint(0, 256, (20, 24, 3)).astype(np.uint8)).save(folder / f"{i}.png")
    return root / name


def damage(path):
    """Make an image unreadable though its size and time of change stay."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
