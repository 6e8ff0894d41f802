"""Random inputs with random labels, for trying out algorithms without data."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import TensorDataset

from domainbed.datasets.base import MultipleDomainDataset, Root, refuse_image_size
from domainbed.datasets.registry import register
from domainbed.names import ENVIRONMENTS


class Debug(MultipleDomainDataset):
    """Three environments of 16 standard normal inputs with labels 0 or 1, drawn from torch's global generator."""

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        if self.INPUT_SHAPE is None:
            raise NotImplementedError("Debug has no input shape; use Debug28 or Debug224")
        self.input_shape = self.INPUT_SHAPE
        self.num_classes = 2
        self.datasets = [
            TensorDataset(torch.randn(16, *self.INPUT_SHAPE), torch.randint(0, self.num_classes, (16,)))
            for _ in range(3)
        ]

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError if another size is asked for."""
        refuse_image_size(cls.__name__, hparams)


@register
class Debug28(Debug):
    """`Debug` in the size of MNIST."""

    ENVIRONMENTS = ENVIRONMENTS["Debug28"]
    INPUT_SHAPE = (3, 28, 28)


@register
class Debug224(Debug):
    """`Debug` in the size of ImageNet."""

    ENVIRONMENTS = ENVIRONMENTS["Debug224"]
    INPUT_SHAPE = (3, 224, 224)
