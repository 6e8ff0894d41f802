"""Datasets that their own packages fetch."""

from importlib.util import find_spec
from pathlib import Path

from domainbed.datasets.mnist_files import check_source
from domainbed.errors import InputError


def mnist(root: Path) -> None:
    """The four files of MNIST, by torchvision, into MNIST/raw.

    Raises:
        InputError: they cannot be downloaded.
    """
    check_source(root, {})


def camelyon(root: Path) -> None:
    """Camelyon17, by the package `wilds`; see `_wilds`."""
    _wilds("camelyon17", root)


def fmow(root: Path) -> None:
    """FMoW, by the package `wilds`; see `_wilds`."""
    _wilds("fmow", root)


def _wilds(name: str, root: Path) -> None:
    """Raises InputError without the package, or if it cannot download the dataset."""
    if find_spec("wilds") is None:
        raise InputError(f"{name} is downloaded by the package wilds; install it with: pip install wilds")
    import wilds

    try:
        wilds.get_dataset(dataset=name, root_dir=str(root), download=True)
    except OSError as error:
        raise InputError(f"{name}: wilds cannot download it ({error}); see https://wilds.stanford.edu") from None
