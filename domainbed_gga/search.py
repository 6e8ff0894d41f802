"""Annealing search: near the current weights, find a point where the gradients of the domains agree better.

Knows nothing of algorithms, networks or DomainBed; docs/search.md explains it with an example.

    θ0 = θ;  s* = sim(θ0);  L* = loss(θ0);  best = θ0
    repeat:
        θ = a candidate
        if loss(θ) - L* < tolerance  and  sim(θ) > s*:   best, s*, L* = θ, sim(θ), loss(θ)
    θ = best

Source: A. Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025 (arXiv:2502.20162v5),
Algorithm 1. The proposal `ascent` is not in the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from domainbed_gga.randomness import uniform
from domainbed_gga.similarity import START, Agreement, DomainGradients
from domainbed_gga.state import preserve_random_states

PROPOSALS = ("walk", "best", "ascent")

Noise = Callable[[int, str, torch.Size], Tensor]
"""(candidate, parameter name, shape) -> numbers in [-1, 1]"""

NOISE: Noise | None = None  # deprecated: pass `noise` to `anneal`, or set it as the attribute of a GGA algorithm


@dataclass(frozen=True)
class SearchResult:
    """Similarity, loss and work of a search.

    Attributes:
        sim_start: smallest cosine between domain gradients where the search began.
        sim_end: the same where it ended.
        accepted: candidates accepted.
        gradients: domain gradients computed for candidates.
        loss_rise: union loss at the end minus union loss at the start.
    """

    sim_start: float
    sim_end: float
    accepted: int
    gradients: int
    loss_rise: float


def anneal(
    loss: Callable[[int], Tensor],
    sizes: Sequence[float],
    moved: Mapping[str, Tensor],
    measured: Sequence[Tensor],
    *,
    rho: float = 1e-5,
    steps: int = 250,
    tolerance: float = 0.1,
    proposal: str = "walk",
    seed: int = 0,
    fixed_draws: bool = False,
    noise: Noise | None = None,
) -> SearchResult:
    """Move the parameters `moved` to the best point found around them; nothing else is changed.

    Beside the domain gradients, two copies of the moved parameters are held. If anything is raised, an interrupt
    from the keyboard included, the parameters have the values that they began with.

    Args:
        loss: domain -> its loss at the current parameters, a scalar tensor with a graph.
        sizes: the number of samples of each domain, two domains or more; weights of the union loss.
        moved: the parameters to perturb, by name; those that need no gradient stay.
        measured: the parameters whose gradients are compared; those that need no gradient are left out.
        rho: half width of a perturbation of one parameter.
        steps: candidates; for `ascent`, most ascent steps.
        tolerance: the union loss of a candidate exceeds that of the last accepted point by less than this.
        proposal: how a candidate is made. `walk`: uniform perturbations add up, from the starting point anew after
            each acceptance. `best`: one uniform perturbation of the best point. `ascent`: from the best point, rho
            along the sign of the gradient of sim; the first rejection ends the search.
        seed: decides the perturbations, and what the losses draw at random.
        fixed_draws: what the losses draw at random (dropout masks) is the same for every candidate.
        noise: replaces the uniform numbers of `walk` and `best`, to compare with another implementation.

    Raises:
        NoSecondDerivative: `ascent`, and an operator of the network has no double backward.
        ValueError: unknown proposal, fewer than two domains, or no parameter that needs a gradient.
    """
    if proposal not in PROPOSALS:
        raise ValueError(f"unknown proposal {proposal!r}; one of {', '.join(PROPOSALS)}")
    if len(sizes) < 2:
        raise ValueError(f"a search compares two domains or more, {len(sizes)} given")
    moved = {name: parameter for name, parameter in moved.items() if parameter.requires_grad}
    gradients = DomainGradients(loss, sizes, measured, seed, fixed_draws)
    if not moved or not gradients.parameters:
        raise ValueError(
            "nothing to search with: `moved` and `measured` each need a parameter that requires a gradient"
        )
    origin = [parameter.detach().clone() for parameter in moved.values()]
    noise = noise or NOISE or (lambda candidate, name, _: uniform(moved[name], seed, "noise", candidate, name))
    with preserve_random_states(moved.values()):
        try:
            return _anneal(gradients, moved, origin, noise, rho, steps, tolerance, proposal)
        except BaseException:
            _assign(moved, origin)
            raise


def _anneal(
    gradients: DomainGradients,
    moved: Mapping[str, Tensor],
    origin: list[Tensor],
    noise: Noise,
    rho: float,
    steps: int,
    tolerance: float,
    proposal: str,
) -> SearchResult:
    start = best = _measured(gradients)
    weights = [value.clone() for value in origin]
    accepted, before = 0, gradients.computed
    for candidate in range(steps):
        if proposal == "ascent":
            _ascend(gradients, moved, rho, candidate, best)
        else:
            _perturb(moved, rho, noise, candidate)
        reached = gradients.measure(candidate, above=best.sim, first=best.pair)
        if reached and reached.loss - best.loss < tolerance:
            best, accepted = reached, accepted + 1
            torch._foreach_copy_(weights, [parameter.detach() for parameter in moved.values()])
            if proposal == "walk":
                _assign(moved, origin)
        elif proposal == "best":
            _assign(moved, weights)
        elif proposal == "ascent":
            break
    _assign(moved, weights)
    return SearchResult(start.sim, best.sim, accepted, gradients.computed - before, best.loss - start.loss)


def _measured(gradients: DomainGradients) -> Agreement:
    agreement = gradients.measure(START)
    assert agreement is not None  # nothing was asked of it
    return agreement


@torch.no_grad()
def _assign(moved: Mapping[str, Tensor], values: list[Tensor]) -> None:
    torch._foreach_copy_(list(moved.values()), values)
    torch.clear_autocast_cache()  # whoever computes next is to see these weights


@torch.no_grad()
def _perturb(moved: Mapping[str, Tensor], rho: float, noise: Noise, candidate: int) -> None:
    for name, parameter in moved.items():
        parameter.add_(noise(candidate, name, parameter.shape).to(parameter), alpha=rho)


def _ascend(
    gradients: DomainGradients, moved: Mapping[str, Tensor], rho: float, candidate: int, best: Agreement
) -> None:
    parameters = list(moved.values())
    directions = gradients.similarity_gradient(candidate, best.pair, parameters)
    with torch.no_grad():
        torch._foreach_add_(parameters, torch._foreach_sign(directions), alpha=rho)
