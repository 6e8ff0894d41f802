"""Context managers that restore random states, buffers and train/eval modes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def preserve_random_states(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Restore on exit the global generators of torch, numpy and random, those of the tensors' devices included."""
    accelerators = {tensor.device for tensor in tensors if tensor.device.type != "cpu"}
    device_type = next((device.type for device in accelerators), "cuda")
    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(sorted(device.index or 0 for device in accelerators), device_type=device_type):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)


@contextmanager
def preserve_state(module: nn.Module) -> Iterator[None]:
    """Restore on exit a module's buffers and train/eval modes, and the global random states."""
    buffers = [
        (part, name, buffer, buffer.clone())
        for part in module.modules()
        for name, buffer in part.named_buffers(recurse=False)
    ]
    modes = [(part, part.training) for part in module.modules()]
    with preserve_random_states(module.parameters()):
        try:
            yield
        finally:
            for part, training in modes:
                part.training = training
            with torch.no_grad():
                for part, name, buffer, value in buffers:
                    setattr(part, name, buffer.copy_(value))  # a forward pass may have put another tensor there
