"""Float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Within, neither tensor cores round float32 to TF32, as PyTorch lets convolutions do, nor autocast to half.

    A perturbation of 1e-5 moves the similarity of gradients by less than that rounding does: see
    benchmarks/precision.py. An autocast that the computation itself begins inside is left alone.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    convolutions = getattr(cudnn, "conv", None)  # since PyTorch 2.9
    name, full = ("fp32_precision", "ieee") if convolutions else ("allow_tf32", False)
    switches = [convolutions, cudnn.rnn, matmul] if convolutions else [cudnn, matmul]
    kept = [getattr(switch, name) for switch in switches]
    for switch in switches:
        setattr(switch, name, full)
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        for switch, value in zip(switches, kept, strict=True):
            setattr(switch, name, value)
