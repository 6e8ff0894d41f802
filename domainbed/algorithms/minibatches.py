"""One minibatch per training domain, and ways to put them together."""

import torch
from torch import Tensor

from domainbed.algorithms.base import Minibatch


def pool(minibatches: list[Minibatch]) -> Minibatch:
    """All samples in domain order: x (N, *input_shape), y (N,)."""
    return torch.cat([x for x, _ in minibatches]), torch.cat([y for _, y in minibatches])


def domain_labels(minibatches: list[Minibatch]) -> Tensor:
    """The domain index of every pooled sample: (N,) int64, on the samples' device."""
    return torch.cat([torch.full_like(y, domain) for domain, (_, y) in enumerate(minibatches)])
