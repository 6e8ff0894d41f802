"""Full float32 precision of matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Within, neither tensor cores round float32 to TF32, as PyTorch lets convolutions do, nor autocast to half.

    A perturbation of 1e-5 moves the similarity of gradients by less than that rounding does: see
    benchmarks/precision.py. An autocast that the computation itself begins inside is left alone, and so is a switch
    that it sets.

    Since PyTorch 2.9 there are two kinds of switches, and reading an old one raises where the new ones contradict it.
    Both kinds are set, so that they agree inside; an old one that contradicted the new ones before says float32 after.
    """
    matmul_before, cudnn_before = _readable(torch.get_float32_matmul_precision), _readable(_cudnn_allows_tf32)
    switches = _fp32_precision_switches()
    before = []
    for switch in switches:  # from the general to the special: a switch that says "none" reads as the more general one
        before.append(switch.fp32_precision)
        switch.fp32_precision = "none"
    _set_old_switches("highest", False)
    for switch in switches:
        switch.fp32_precision = "ieee"
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        _set_old_switches(matmul_before, cudnn_before)
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


def _fp32_precision_switches() -> list[Any]:
    """The owners of an attribute `fp32_precision`, general ones before special ones; none before PyTorch 2.9."""
    backends: Any = torch.backends
    if not hasattr(backends.cudnn, "conv"):
        return []
    cudnn, mkldnn = backends.cudnn, backends.mkldnn
    special = [cudnn.conv, cudnn.rnn, backends.cuda.matmul, mkldnn.conv, mkldnn.rnn, mkldnn.matmul]
    return [backends, cudnn, _Mkldnn(), *special]


class _Mkldnn:
    """The general switch of oneDNN; assigning to `torch.backends.mkldnn.fp32_precision` sets that of torch.backends."""

    @property
    def fp32_precision(self) -> str:
        backend: Any = torch.backends.mkldnn
        return backend.fp32_precision

    @fp32_precision.setter
    def fp32_precision(self, value: str) -> None:
        backend: Any = torch.backends.mkldnn
        backend.set_flags(_fp32_precision=value)


def _cudnn_allows_tf32() -> bool:
    return torch.backends.cudnn.allow_tf32


def _set_old_switches(matmul: str | None, cudnn: bool | None) -> None:
    if matmul is not None:
        torch.set_float32_matmul_precision(matmul)
    if cudnn is not None:
        torch.backends.cudnn.allow_tf32 = cudnn


def _readable(read: Any) -> Any:
    """What a switch says; None where it contradicts others, which PyTorch answers with an error."""
    try:
        return read()
    except RuntimeError:
        return None
