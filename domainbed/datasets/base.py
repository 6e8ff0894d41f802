"""Base class of datasets with several environments."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from domainbed.errors import InputError
from domainbed.hyperparameters import OPTIONAL

Root = str | Path | None
"""The folder given as --data_dir; None for datasets that need none."""


class MultipleDomainDataset:
    """Environments that share their classes and the shape of their inputs.

    A concrete dataset is built as `cls(root, test_envs, hparams)` and sets three attributes: `datasets`, one
    map-style dataset of (x, y) per environment; `input_shape`, the shape of one x; and `num_classes`.
    """

    N_STEPS: ClassVar[int] = 5001
    CHECKPOINT_FREQ: ClassVar[int] = 100
    N_WORKERS: ClassVar[int] = 8
    ENVIRONMENTS: ClassVar[list[str] | None] = None
    INPUT_SHAPE: ClassVar[tuple[int, ...] | None] = None

    datasets: Sequence[Any]
    input_shape: tuple[int, ...]
    num_classes: int

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def __getitem__(self, index: int) -> Any:
        """The environment at that index."""
        return self.datasets[index]

    def __len__(self) -> int:
        """The number of environments."""
        return len(self.datasets)

    def fingerprints(self) -> list[str]:
        """Of each environment, what changes where samples are added, removed or renamed; here, their number.

        Splits are drawn by index, so that a run continued on other samples would train on some of those held out.
        """
        return [f"{len(environment)} samples" for environment in self.datasets]

    @classmethod
    def environments(cls, root: Root) -> list[str]:
        """The names of the environments, in the order of their indices.

        Raises:
            InputError: they are read from a folder under `root`, and that is not there.
        """
        if cls.ENVIRONMENTS is None:
            raise InputError(f"{cls.__name__}: the environments are not known")
        return list(cls.ENVIRONMENTS)

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Make sure that the data is there and sound, before any work is done.

        Raises:
            InputError: it is not; the message says what would be right, and where to get the data.
        """


def image_size(hparams: dict[str, Any], default: int = OPTIONAL["image_size"][0]) -> int:
    """The height and width of an x, in pixels: hparam `image_size`, or `default` without it.

    Raises:
        InputError: it is below 1.
    """
    size = hparams.get("image_size", default)
    if size < 1:
        raise InputError(f"image_size must be a number of pixels, at least 1, not {size!r}")
    return int(size)


def refuse_image_size(dataset: str, hparams: dict[str, Any]) -> None:
    """Raises InputError if an `image_size` is asked of a dataset whose x have one size."""
    if "image_size" in hparams:
        raise InputError(f"{dataset}: the size of its images is fixed; leave hparam image_size out")


def fingerprint(environment: Any, samples: bytes) -> str:
    """How many samples an environment has, and a digest of what tells them apart, which `samples` holds."""
    return f"{len(environment)} samples named {hashlib.md5(samples).hexdigest()}"


def fingerprints_of_files(environments: Sequence[Any], folder: str) -> list[str]:
    """The `fingerprint` of each environment of image files, by their paths below a folder."""
    below = len(str(Path(folder, "x"))) - 1  # the paths below "." begin without it, those below "/" with it alone
    names = ["\n".join(path[below:] for path, _ in environment.samples) for environment in environments]
    return [
        fingerprint(environment, found.encode(errors="surrogateescape"))
        for environment, found in zip(environments, names, strict=True)
    ]


def data_path(root: Root, *parts: str) -> Path:
    """The path below the data folder.

    Raises:
        InputError: there is no data folder.
    """
    if root is None:
        raise InputError("Data directory not specified! Give the folder that holds the data as --data_dir")
    return Path(root, *parts)
