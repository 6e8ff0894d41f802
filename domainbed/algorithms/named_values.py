"""Arithmetic on dictionaries of named tensors or numbers."""

import operator
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


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
