"""Random pairs of the domains' minibatches."""

from itertools import cycle

import torch

from domainbed.algorithms.base import Minibatch

Pair = tuple[Minibatch, Minibatch]


def _cut(first: Minibatch, second: Minibatch) -> Pair:
    """Both minibatches, cut to the length of the shorter one."""
    n = min(len(first[1]), len(second[1]))
    return (first[0][:n], first[1][:n]), (second[0][:n], second[1][:n])


def random_pairs_of_minibatches(minibatches: list[Minibatch]) -> list[Pair]:
    """Each domain's minibatch with that of the next in a random cyclic order, cut to equal lengths."""
    order = torch.randperm(len(minibatches)).tolist()
    return [_cut(minibatches[i], minibatches[j]) for i, j in zip(order, order[1:] + order[:1], strict=True)]


def split_meta_train_test(minibatches: list[Minibatch], num_meta_test: int = 1) -> list[Pair]:
    """Random split into meta-train and `num_meta_test` meta-test domains.

    Every meta-train minibatch is paired with a meta-test one, taken in turn, at equal lengths.
    """
    order = torch.randperm(len(minibatches)).tolist()
    train, test = order[: len(order) - num_meta_test], order[len(order) - num_meta_test :]
    return [_cut(minibatches[i], minibatches[j]) for i, j in zip(train, cycle(test), strict=False)]
