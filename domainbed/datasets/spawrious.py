"""Spawrious: dog breeds that are spuriously correlated with the background; six datasets of the same 152,064 images.

Each image, a generated one, shows a bulldog, a corgi, a dachshund or a labrador (4 classes) at one of six locations;
there are 3,168 in each of two folders for each location and class.

Environments: Test, SC_group_1 and SC_group_2; which locations they take differs between the datasets.
Licence: none stated that we know of.
Known bad files: none that we know of.
Remarks: which images a group takes is decided by their order, here by name; the original takes them as the file system
lists them.
Source: A. Lynch, G. J.-S. Dovonon, J. Kaddour and R. Silva, Spawrious: A Benchmark for Fine Control of Spurious
Correlation Biases, 2023, arXiv:2303.05470.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from domainbed.datasets.base import MultipleDomainDataset, Root, data_path, fingerprints_of_files, image_size
from domainbed.datasets.folder_index import FolderIndex, image_files
from domainbed.datasets.image_checks import check_images
from domainbed.datasets.images import LabelledImages, Transform, augmented, plain, resize
from domainbed.datasets.registry import register
from domainbed.errors import InputError
from domainbed.hyperparameters import optional
from domainbed.names import ENVIRONMENTS

CLASSES = {"bulldog": 0, "dachshund": 2, "labrador": 3, "corgi": 1}  # in the order of the locations below
PER_CLASS = 3168
SIZE = 224  # without hparam `image_size`

Part = tuple[int, str, str, int | None]
"""A folder of images: 0 or 1, location, class, and how many of its images to take (None: all)."""

log = logging.getLogger(__name__)


class CustomImageFolder(LabelledImages):
    """The first `limit` images of a folder, sorted by name, all with the same label.

    Raises:
        InputError: there are fewer.
    """

    def __init__(self, folder_path: str | Path, class_index: int, limit: int | None, transform: Transform):
        paths = image_files(Path(folder_path))
        if len(paths) < (limit or 1):
            raise InputError(f"{folder_path}: needs {limit or 1} images or more, has {len(paths)}")
        super().__init__([(path, class_index) for path in paths[:limit]], transform)


class SpawriousBenchmark(MultipleDomainDataset):
    """DATA_DIR/{0,1}/<location>/<class>/<image>, or the same below DATA_DIR/spawrious224; four classes of dogs.

    The folders of `parts` alone are read, so that many-to-many datasets need no folder 1.

    Made for the test environment 0, whose locations are another breed's in training; both others are always
    augmented if anything is, environment 0 never.
    """

    TRAIN: ClassVar[tuple[str, ...]]
    """The location of each class in training."""
    TEST: ClassVar[tuple[str, ...]]
    input_shape = (3, SIZE, SIZE)
    num_classes = len(CLASSES)

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        if list(test_envs) != [0]:
            log.warning("%s is made for test_envs [0], not %s", type(self).__name__, list(test_envs))
        folder = self._folder(root)
        self.dir = str(folder)
        size = image_size(hparams)
        augment = augmented(resize(size)) if hparams["data_augmentation"] else plain(size)
        self.datasets = [
            _environment(folder, parts, transform, optional(hparams, "tolerate_truncated"))
            for parts, transform in zip(self.parts(), (plain(size), augment, augment), strict=True)
        ]
        self.input_shape = (3, size, size)

    def fingerprints(self) -> list[str]:
        """The number of images of each environment, and a digest of their paths below the folder."""
        return fingerprints_of_files(self.datasets, self.dir)

    @classmethod
    def parts(cls) -> list[list[Part]]:
        """The folders that make up each environment: test, group 1, group 2."""
        raise NotImplementedError(f"{cls.__name__} is abstract")

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError unless there are enough images, and all of them can be read."""
        image_size(hparams)
        folder = cls._folder(root)
        for parts in cls.parts():
            _environment(folder, parts, plain(SIZE), tolerate_truncated=False)
        places = sorted({folder / str(k) / location for parts in cls.parts() for k, location, _, _ in parts})
        check_images(folder.name, [FolderIndex(place) for place in places], optional(hparams, "tolerate_truncated"))

    @classmethod
    def _folder(cls, root: Root) -> Path:
        folders = [data_path(root), data_path(root, "spawrious224")]
        for folder in folders:
            if (folder / "0").is_dir():
                return folder
        raise InputError(
            f"{cls.__name__}: no data in {folders[0]}; expected {folders[1]}/{{0,1}}/<location>/<class>/<image>; "
            f"get it with: python -m domainbed.scripts.download --dataset {cls.__name__} --data_dir {root}"
        )


class _OneToOne(SpawriousBenchmark):
    """One-to-one: each class has one location in training, and in a few of its images the location that all share."""

    SHARED: ClassVar[str]

    @classmethod
    def parts(cls) -> list[list[Part]]:
        return [
            _parts(0, cls.TEST) + _parts(1, cls.TEST),
            cls._group(0, int(0.97 * PER_CLASS)),
            cls._group(1, int(0.87 * PER_CLASS)),
        ]

    @classmethod
    def _group(cls, k: int, unshared: int) -> list[Part]:
        return _parts(k, cls.TRAIN, unshared) + _parts(k, [cls.SHARED] * len(CLASSES), PER_CLASS - unshared)


class _ManyToMany(SpawriousBenchmark):
    """Many-to-many: two classes share two locations, which they exchange between the groups."""

    @classmethod
    def parts(cls) -> list[list[Part]]:
        return [
            _parts(0, cls.TEST) + _parts(0, _swapped(cls.TEST)),
            _parts(0, cls.TRAIN, PER_CLASS),
            _parts(0, _swapped(cls.TRAIN), PER_CLASS),
        ]


def _parts(k: int, locations: Sequence[str], limit: int | None = None) -> list[Part]:
    """Each class in its location."""
    return [(k, location, name, limit) for name, location in zip(CLASSES, locations, strict=True)]


def _swapped(locations: Sequence[str]) -> tuple[str, ...]:
    a, b, c, d = locations
    return b, a, d, c


def _environment(folder: Path, parts: Sequence[Part], transform: Transform, tolerate_truncated: bool) -> LabelledImages:
    folders = [
        CustomImageFolder(folder / str(k) / location / name, CLASSES[name], limit, transform)
        for k, location, name, limit in parts
    ]
    return LabelledImages([sample for part in folders for sample in part.samples], transform, tolerate_truncated)


@register
class SpawriousO2O_easy(_OneToOne):
    ENVIRONMENTS = ENVIRONMENTS["SpawriousO2O_easy"]
    TRAIN = ("desert", "jungle", "dirt", "snow")
    TEST = ("dirt", "snow", "desert", "jungle")
    SHARED = "beach"


@register
class SpawriousO2O_medium(_OneToOne):
    ENVIRONMENTS = ENVIRONMENTS["SpawriousO2O_medium"]
    TRAIN = ("mountain", "beach", "dirt", "jungle")
    TEST = ("jungle", "dirt", "beach", "snow")
    SHARED = "desert"


@register
class SpawriousO2O_hard(_OneToOne):
    ENVIRONMENTS = ENVIRONMENTS["SpawriousO2O_hard"]
    TRAIN = ("jungle", "mountain", "snow", "desert")
    TEST = ("mountain", "snow", "desert", "jungle")
    SHARED = "beach"


@register
class SpawriousM2M_easy(_ManyToMany):
    ENVIRONMENTS = ENVIRONMENTS["SpawriousM2M_easy"]
    TRAIN = ("desert", "mountain", "dirt", "jungle")
    TEST = ("dirt", "jungle", "mountain", "desert")


@register
class SpawriousM2M_medium(_ManyToMany):
    ENVIRONMENTS = ENVIRONMENTS["SpawriousM2M_medium"]
    TRAIN = ("beach", "snow", "mountain", "desert")
    TEST = ("desert", "mountain", "beach", "snow")


@register
class SpawriousM2M_hard(_ManyToMany):
    ENVIRONMENTS = ENVIRONMENTS["SpawriousM2M_hard"]
    TRAIN = ("dirt", "jungle", "snow", "beach")
    TEST = ("snow", "beach", "dirt", "jungle")
