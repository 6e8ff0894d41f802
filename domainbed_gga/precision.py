"""Float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Within, tensor cores do not round float32 to TF32, which PyTorch lets convolutions do by default.

    A perturbation of 1e-5 moves the similarity of gradients by less than that rounding does: see
    benchmarks/precision.py.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    convolutions = getattr(cudnn, "conv", None)  # since PyTorch 2.9
    name, full = ("fp32_precision", "ieee") if convolutions else ("allow_tf32", False)
    switches = [convolutions or cudnn, matmul]
    kept = [getattr(switch, name) for switch in switches]
    for switch in switches:
        setattr(switch, name, full)
    try:
        yield
    finally:
        for switch, value in zip(switches, kept, strict=True):
            setattr(switch, name, value)
