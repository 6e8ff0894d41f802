"""Minibatches for tests, under DomainBed's import path."""

from typing import Any

import torch
from torch import Tensor

DEBUG_DATASETS = ["Debug28", "Debug224"]


def make_minibatches(dataset: Any, batch_size: int) -> list[tuple[Tensor, Tensor]]:
    """The first `batch_size` items of every environment, on the GPU if there is one.

    Returns:
        One x (batch_size, *input_shape), y (batch_size,) int64 per environment.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    minibatches = []
    for environment in dataset:
        items = [environment[index] for index in range(batch_size)]
        x = torch.stack([x for x, _ in items]).to(device)
        y = torch.tensor([int(y) for _, y in items], device=device)
        minibatches.append((x, y))
    return minibatches
