"""Random numbers as a function of where they are used."""

import hashlib
import random

import numpy as np
import torch
from torch import Tensor


def key(*place: object) -> int:
    """A 63-bit seed for a place in the computation, such as (seed, step, candidate, parameter name)."""
    return int.from_bytes(hashlib.blake2b(repr(place).encode(), digest_size=8).digest(), "big") >> 1


def generator_at(device: torch.device, *place: object) -> torch.Generator:
    """A generator for a place in the computation: asked again, it draws the same numbers again."""
    return torch.Generator(device).manual_seed(key(*place))


def uniform(like: Tensor, *place: object, low: float = -1.0) -> Tensor:
    """Uniform(low, 1) numbers of the shape, dtype and device of `like`, whatever its memory format."""
    return _contiguous(like).uniform_(low, 1, generator=generator_at(like.device, *place))


def normal(like: Tensor, *place: object) -> Tensor:
    """Standard normal numbers of the shape, dtype and device of `like`, whatever its memory format."""
    return _contiguous(like).normal_(generator=generator_at(like.device, *place))


def _contiguous(like: Tensor) -> Tensor:
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def seed_globally(device: torch.device, *place: object) -> None:
    """Seed the global generators of torch (CPU and `device`), numpy and random; inside `preserve_random_states`."""
    seed = key(*place)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed costs a hundred times as much
    if device.type != "cpu":
        accelerator = getattr(torch, device.type)
        with accelerator.device(device):  # it seeds the current device, which need not be the tensors'
            accelerator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
