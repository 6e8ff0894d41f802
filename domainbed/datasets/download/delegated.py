"""Datasets that their own packages fetch."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from domainbed.datasets import WILDSCamelyon, WILDSFMoW, mnist_files
from domainbed.datasets.download.manifest import Counted, Known
from domainbed.errors import InputError


@dataclass(frozen=True)
class Delegated(Known):
    """A dataset that a package fetches."""

    fetch: Callable[[Path], None]
    """Puts it into a data folder; raises InputError where that fails."""
    count: Callable[[Path], Counted]
    """Its images in a data folder, {} where there are none; raises InputError where they are not whole."""


def _fetch_mnist(root: Path) -> None:
    """The four files of MNIST, by torchvision, into MNIST/raw."""
    mnist_files.check_source(root, {})


def _count_mnist(root: Path) -> Counted:
    if (folder := mnist_files.found(root)) is None:
        return {}
    return {part: _by_label(mnist_files.images_and_digits(folder, part)[1]) for part in mnist_files.PARTS}


def _from_wilds(name: str, dataset_class: type[WILDSCamelyon] | type[WILDSFMoW]) -> Delegated:
    """A dataset of the package `wilds`, which calls it `name`."""

    def fetch(root: Path) -> None:
        if find_spec("wilds") is None:
            raise InputError(f"{name} is downloaded by the package wilds; install it with: pip install wilds")
        import wilds

        try:
            wilds.get_dataset(dataset=name, root_dir=str(root), download=True)
        except OSError as error:
            raise InputError(f"{name}: wilds cannot download it ({error}); see https://wilds.stanford.edu") from None

    def count(root: Path) -> Counted:
        environments = dataset_class(root, [], {"data_augmentation": False}).datasets
        return {environment.name: _by_label(environment.targets.numpy()) for environment in environments}

    counts = dict.fromkeys(dataset_class.ENVIRONMENTS or [])
    return Delegated(dataset_class.FOLDER, counts, classes=None, total=None, fetch=fetch, count=count)


def _by_label(labels: np.ndarray) -> dict[str, int]:
    return {str(label): number for label, number in sorted(Counter(labels.tolist()).items())}


MNIST = Delegated(
    mnist_files.RAW, {"train": 60_000, "t10k": 10_000}, 10, 70_000, fetch=_fetch_mnist, count=_count_mnist
)
DELEGATED = {
    "ColoredMNIST": MNIST,
    "RotatedMNIST": MNIST,
    "WILDSCamelyon": _from_wilds("camelyon17", WILDSCamelyon),
    "WILDSFMoW": _from_wilds("fmow", WILDSFMoW),
}
