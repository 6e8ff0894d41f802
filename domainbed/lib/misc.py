"""DomainBed's miscellany under its import path; each thing lives where it belongs."""

import operator
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from domainbed.algorithms.averages import ErmPlusPlusMovingAvg, MovingAverage
from domainbed.algorithms.contrastive import SupConLossLambda
from domainbed.algorithms.density import (
    EPS,
    Distribution1D,
    GaussianKernel,
    Kernel,
    KernelDensityEstimator,
    Nonparametric,
    Normal,
    continuous_bisect_fun_left,
    estimate_bandwidth,
)
from domainbed.algorithms.lars import LARS
from domainbed.algorithms.pairing import random_pairs_of_minibatches, split_meta_train_test
from domainbed.algorithms.transfer import distance, proj
from domainbed.evaluation import accuracy
from domainbed.loading import make_weights_for_balanced_classes, split_dataset
from domainbed.seeds import seed_hash
from domainbed.streams import Tee
from domainbed.tables import print_row, print_separator

__all__ = [
    "EPS",
    "LARS",
    "Distribution1D",
    "ErmPlusPlusMovingAvg",
    "GaussianKernel",
    "Kernel",
    "KernelDensityEstimator",
    "MovingAverage",
    "Nonparametric",
    "Normal",
    "ParamDict",
    "SupConLossLambda",
    "Tee",
    "accuracy",
    "continuous_bisect_fun_left",
    "distance",
    "estimate_bandwidth",
    "l2_between_dicts",
    "make_weights_for_balanced_classes",
    "print_row",
    "print_separator",
    "proj",
    "random_pairs_of_minibatches",
    "seed_hash",
    "split_dataset",
    "split_meta_train_test",
]


def l2_between_dicts(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tensor:
    """Mean squared difference over all elements of two dicts of tensors with equal keys (scalar).

    Raises:
        ValueError: the keys differ.
    """
    if a.keys() != b.keys():
        raise ValueError(f"the dicts differ in the keys {sorted(a.keys() ^ b.keys())}")
    return torch.cat([(a[key] - b[key]).flatten() for key in sorted(a)]).square().mean()


class ParamDict(OrderedDict[str, Any]):
    """Named values with element-wise + - * / and negation, against a number or another dict with these names."""

    def _with(self, other: Any, combine: Callable[[Any, Any], Any]) -> "ParamDict":
        others = other if isinstance(other, Mapping) else dict.fromkeys(self, other)
        return ParamDict((name, combine(value, others[name])) for name, value in self.items())

    def __add__(self, other: Any) -> "ParamDict":
        return self._with(other, operator.add)

    def __sub__(self, other: Any) -> "ParamDict":
        return self._with(other, operator.sub)

    def __mul__(self, other: Any) -> "ParamDict":
        return self._with(other, operator.mul)

    def __truediv__(self, other: Any) -> "ParamDict":
        return self._with(other, operator.truediv)

    def __rsub__(self, other: Any) -> "ParamDict":
        return -self + other

    def __neg__(self) -> "ParamDict":
        return self * -1

    __radd__ = __add__
    __rmul__ = __mul__
