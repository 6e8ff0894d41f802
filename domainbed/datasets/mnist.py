"""MNIST in several environments: with spurious colours, and rotated."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from domainbed.datasets.base import MultipleDomainDataset, Root, refuse_image_size
from domainbed.datasets.mnist_files import check_source, mnist_digits
from domainbed.datasets.registry import register
from domainbed.hyperparameters import optional
from domainbed.names import ENVIRONMENTS


class MultipleEnvironmentMNIST(MultipleDomainDataset):
    """MNIST, shuffled by torch's global generator and dealt out to the environments in turn.

    Args:
        root: see `mnist_digits`.
        environments: one parameter per environment.
        transform: (images (n, 28, 28) uint8, digits (n,) int64, parameter) -> the environment's TensorDataset.
        input_shape: of one x that `transform` makes.
        num_classes: of the labels that it makes.
        hparams: `mnist_source`, see `mnist_digits`.
    """

    def __init__(
        self,
        root: Root,
        environments: Sequence[float],
        transform: Callable[[Tensor, Tensor, Any], TensorDataset],
        input_shape: tuple[int, ...],
        num_classes: int,
        hparams: dict[str, Any] | None = None,
    ):
        images, digits = mnist_digits(root, optional(hparams or {}, "mnist_source"))
        order = torch.randperm(len(images))
        x, y = torch.from_numpy(images)[order], torch.from_numpy(digits)[order]
        step = len(environments)
        self.datasets = [transform(x[i::step], y[i::step], parameter) for i, parameter in enumerate(environments)]
        self.input_shape = input_shape
        self.num_classes = num_classes

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError if another size is asked for, or MNIST's files are lacking and cannot be downloaded."""
        refuse_image_size(cls.__name__, hparams)
        check_source(root, hparams)


@register
class ColoredMNIST(MultipleEnvironmentMNIST):
    """Digits below 5 against the others, with a colour that predicts the label better than the shape does.

    A quarter of the labels are flipped; the colour is the label, flipped with a probability of 0.1, 0.2 and 0.9.
    70,000 images of 2 classes, x (2, 28, 28) in [0, 1]: the image is in channel 0 or 1, its colour.

    Environments: +90% 23,334, +80% 23,333, -90% 23,333, by how the colour agrees with the label.
    Licence: that of MNIST, CC BY-SA 3.0.
    Known bad files: none that we know of.
    Remarks: which digits an environment has, and their colours, depend on the run's seed, as in the original.
    Source: M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, Invariant Risk Minimization, 2019,
    arXiv:1907.02893, section 5.2.
    """

    ENVIRONMENTS = ENVIRONMENTS["ColoredMNIST"]

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        super().__init__(root, [0.1, 0.2, 0.9], colored, (2, 28, 28), 2, hparams)


@register
class RotatedMNIST(MultipleEnvironmentMNIST):
    """Digits rotated counter-clockwise by 0 to 75 degrees: 70,000 images of 10 classes, x (1, 28, 28) in [0, 1].

    Environments: 0, 15, 30 and 45 degrees 11,667 each, 60 and 75 degrees 11,666 each.
    Licence: that of MNIST, CC BY-SA 3.0.
    Known bad files: none that we know of.
    Remarks: which digits an environment has depends on the run's seed, as in the original.
    Source: M. Ghifary, W. B. Kleijn, M. Zhang and D. Balduzzi, Domain Generalization for Object Recognition with
    Multi-task Autoencoders, ICCV 2015, arXiv:1508.07680.
    """

    ENVIRONMENTS = ENVIRONMENTS["RotatedMNIST"]

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        super().__init__(root, [0, 15, 30, 45, 60, 75], rotated, (1, 28, 28), 10, hparams)


def colored(images: Tensor, digits: Tensor, color_noise: float) -> TensorDataset:
    """The environment of ColoredMNIST in which the colour differs from the label with that probability."""
    y = (digits < 5).long() ^ (torch.rand(len(digits)) < 0.25).long()
    color = y ^ (torch.rand(len(y)) < color_noise).long()
    x = torch.zeros(len(y), 2, 28, 28)
    x[torch.arange(len(y)), color] = images.float() / 255
    return TensorDataset(x, y)


def rotated(images: Tensor, digits: Tensor, degrees: float) -> TensorDataset:
    """The environment of RotatedMNIST with that angle: bilinear, same size, black outside."""
    from PIL import Image

    turned = [np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR)) for image in images.numpy()]
    return TensorDataset(torch.from_numpy(np.stack(turned)).unsqueeze(1).float() / 255, digits)
