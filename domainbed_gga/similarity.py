"""How far the gradients of the domains agree at a point: their smallest cosine.

    sim(θ) = min over pairs i < j of  <g_i, g_j> / (|g_i| |g_j|),   g_i the gradient of domain i's loss

Source: A. Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025 (arXiv:2502.20162v5).
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from domainbed_gga.randomness import seed_globally

Gradient = Sequence[Tensor | None]
Pair = tuple[int, int]

START = -1  # the candidate number of the point where the search begins


class NoSecondDerivative(RuntimeError):
    """The gradient of the similarity was asked for, and an operator of the network cannot be differentiated twice."""


def shares(sizes: Sequence[float]) -> list[float]:
    """The weight of each domain in the mean over all samples."""
    return [size / sum(sizes) for size in sizes]


def gradient(loss: Tensor, parameters: Sequence[Tensor], differentiable: bool = False) -> Gradient:
    """d loss / d parameters; None for a parameter that the loss does not depend on. No .grad is touched.

    Raises:
        ValueError: the loss depends on none of them.
    """
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True, create_graph=differentiable)
    if all(slope is None for slope in slopes):
        raise ValueError("the loss depends on none of the parameters; does the prediction use an average of them?")
    return slopes


def inner(a: Gradient, b: Gradient) -> Tensor:
    """The inner product of two gradients, without making flat copies of them."""
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    products = [torch.dot(x.reshape(-1), y.reshape(-1)) for x, y in both]
    return torch.stack(products).sum() if products else torch.zeros(())


def cosine(a: Gradient, b: Gradient) -> Tensor:
    """The cosine of two gradients, a scalar on their device; not finite where one of them is zero."""
    return inner(a, b) / (inner(a, a).sqrt() * inner(b, b).sqrt())


@dataclass(frozen=True)
class Agreement:
    """Similarity and loss at a point.

    Attributes:
        sim: the smallest cosine between two domain gradients; -1 where one of the cosines is not finite.
        loss: the loss on the union of the domains.
        pair: the two domains that have the smallest cosine.
    """

    sim: float
    loss: float
    pair: Pair


def graph(value: Tensor) -> Iterator[torch.autograd.graph.Node]:
    """The nodes of the graph that computed a tensor."""
    seen, waiting = set(), [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(following for following, _ in node.next_functions)
            yield node


class DomainGradients:
    """The domains' gradients at the current values of some parameters, and their smallest cosine.

    Args:
        loss: domain -> its loss, a scalar tensor with a graph.
        sizes: the number of samples of each domain; the union loss is the mean of the losses with these weights.
        parameters: the gradients are taken with respect to these.
        seed: decides what the losses draw at random (dropout masks).
        fixed_draws: every candidate meets the same draws; otherwise they depend on the candidate too.
    """

    def __init__(
        self,
        loss: Callable[[int], Tensor],
        sizes: Sequence[float],
        parameters: Sequence[Tensor],
        seed: int = 0,
        fixed_draws: bool = False,
    ):
        self.loss = loss
        self.shares = shares(sizes)
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.seed = seed
        self.fixed_draws = fixed_draws
        self.computed = 0  # domain gradients so far

    def domain_gradient(self, domain: int, candidate: int, differentiable: bool = False) -> tuple[Tensor, Gradient]:
        """Loss and gradient of a domain."""
        self.computed += 1
        torch.clear_autocast_cache()  # it holds copies of the weights from before they were moved in place
        seed_globally(self.parameters[0].device, self.seed, "draws", START if self.fixed_draws else candidate, domain)
        with torch.enable_grad():
            loss = self.loss(domain)
            return loss.detach(), gradient(loss, self.parameters, differentiable)

    def measure(self, candidate: int, above: float | None = None, first: Pair = (0, 1)) -> Agreement | None:
        """The agreement at the current weights, or None as soon as one pair's cosine is not larger than `above`.

        The pair `first` is compared first: where it is the one that fails, only two gradients are computed.
        """
        order = [*first, *(domain for domain in range(len(self.shares)) if domain not in first)]
        union: Tensor | float = 0.0
        measured: dict[int, tuple[Gradient, Tensor]] = {}  # gradient and length, by domain
        cosines: dict[Pair, float] = {}
        for domain in order:
            loss, slopes = self.domain_gradient(domain, candidate)
            union = union + self.shares[domain] * loss
            length = inner(slopes, slopes).sqrt()
            for other, (other_slopes, other_length) in measured.items():
                value = float(inner(other_slopes, slopes) / (other_length * length))  # one wait for the device per pair
                if above is not None and not (math.isfinite(value) and value > above):
                    return None
                cosines[min(other, domain), max(other, domain)] = value
            measured[domain] = slopes, length
        finite = all(math.isfinite(value) for value in cosines.values())
        pair = min(cosines, key=lambda pair: cosines[pair] if math.isfinite(cosines[pair]) else -math.inf)
        return Agreement(cosines[pair] if finite else -1.0, float(union), pair)

    def similarity_gradient(self, candidate: int, pair: Pair, moved: Sequence[Tensor]) -> list[Tensor]:
        """d cos(g_i, g_j) / d moved for a pair of domains, by double backward.

        Counts as four gradients. Holds both domains' graphs of the backward pass at once, about three times the
        memory of an ordinary forward and backward pass of the two.

        Raises:
            NoSecondDerivative: an operator of the network has no double backward.
        """
        try:
            (_, a), (_, b) = (self.domain_gradient(domain, candidate, differentiable=True) for domain in pair)
            self.computed += 2
            with torch.enable_grad():
                similarity = cosine(a, b)
            if not similarity.requires_grad:
                return [torch.zeros_like(parameter) for parameter in moved]
            if any(node.name() == "torch::autograd::Error" for node in graph(similarity)):
                raise NotImplementedError("its second derivative is not implemented (once_differentiable)")
            return list(torch.autograd.grad(similarity, moved, allow_unused=True, materialize_grads=True))
        except (RuntimeError, NotImplementedError) as error:
            if "not implemented" not in str(error):
                raise
            raise NoSecondDerivative(f"this network cannot be differentiated twice: {error}") from error

    def similarity_deviation(self) -> float:
        """The standard deviation of sim at the current weights over three new draws of dropout masks."""
        redrawn = DomainGradients(self.loss, self.shares, self.parameters, self.seed)
        agreements = [redrawn.measure(START - 1 - again) for again in range(3)]
        return statistics.stdev(agreement.sim for agreement in agreements if agreement)
