"""Pooling and splitting of the minibatches of the training domains."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.errors import InputError


def pool(minibatches: list[Minibatch]) -> Minibatch:
    """Concatenation of the samples in domain order: x (N, *input_shape), y (N,)."""
    return torch.cat([x for x, _ in minibatches]), torch.cat([y for _, y in minibatches])


def domain_labels(minibatches: list[Minibatch]) -> Tensor:
    """The domain index of every pooled sample: (N,) int64, on the samples' device."""
    return torch.cat([torch.full_like(y, domain) for domain, (_, y) in enumerate(minibatches)])


def by_domain(samples: Tensor, minibatches: list[Minibatch]) -> tuple[Tensor, ...]:
    """Undo `pool` on anything with one row per pooled sample: one tensor (n_d, ...) per domain."""
    return samples.split([len(y) for _, y in minibatches])


def domain_risks(logits: Tensor, minibatches: list[Minibatch]) -> list[Tensor]:
    """Mean cross-entropy of each domain, from the pooled logits (N, K)."""
    return [F.cross_entropy(o, y) for o, (_, y) in zip(by_domain(logits, minibatches), minibatches, strict=True)]


def mean(values: Sequence[Tensor]) -> Tensor:
    """Mean of one scalar per domain, summed in domain order, since large penalty weights amplify rounding."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)


def need_two_domains(name: str, num_domains: int) -> None:
    """Raise InputError unless there are two training domains to compare."""
    if num_domains < 2:
        raise InputError(f"{name} compares training domains and needs at least two of them, not {num_domains}")
