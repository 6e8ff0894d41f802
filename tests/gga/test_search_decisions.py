"""Every decision of the search is that of the plain one, and so are the final weights, to the last bit."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_search import plain_search
from torch import nn

from domainbed_gga.randomness import seed_globally, uniform
from domainbed_gga.search import anneal
from domainbed_gga.similarity import START
from domainbed_gga.state import preserve_random_states


@st.composite
def quadratic_problems(draw):
    """Domains with losses |Aθ - b|²/2 in small whole numbers, so that sums are exact and ties in loss are real ties.

    Cosines that tie may still differ by a rounding of their square roots, equally in both searches.

    A zero matrix gives a domain without gradient: its similarities are not finite. Sizes add up to a power of two.
    """
    domains, steps = draw(st.integers(2, 6)), draw(st.integers(0, 8))
    draws = np.random.RandomState(draw(st.integers(0, 2**20)))
    matrices = [torch.tensor(draws.randint(-2, 3, (2, 3)) * (draws.rand() > 0.03)).double() for _ in range(domains)]
    targets = [torch.tensor(draws.randint(-2, 3, 2)).double() for _ in range(domains)]
    sizes = draws.randint(1, 6, domains - 1).tolist()
    sizes.append(32 - sum(sizes))
    start = draws.randint(-2, 3, 3).tolist()
    noise = (draws.randint(-2, 3, (steps, 2)) / 2).tolist()
    settings = {
        "rho": draw(st.sampled_from([0.0, 0.0625, 0.25, 1.0])),
        "steps": steps,
        "tolerance": draw(st.sampled_from([0.0, 0.125, 0.5, 2.0])),
        "proposal": draw(st.sampled_from(["walk", "best"])),
    }
    return matrices, targets, sizes, start, noise, settings


@settings(deadline=None, max_examples=150)
@given(quadratic_problems())
def test_decisions_equal_the_plain_search_where_similarities_and_losses_tie(problem):
    matrices, targets, sizes, start, noise, options = problem

    def run(find):
        moved = {"first": torch.tensor(start[:2]).double().requires_grad_()}
        head = torch.tensor(start[2:]).double().requires_grad_()

        def loss(domain):
            theta = torch.cat([moved["first"], head])
            return ((matrices[domain] @ theta - targets[domain]) ** 2).sum() / 2

        return find(loss, moved, [moved["first"], head]), moved["first"].detach()

    def fast(loss, moved, measured):
        draw = lambda candidate, name, shape: torch.tensor(noise[candidate])  # noqa: E731
        return anneal(loss, sizes, moved, measured, noise=draw, **options).accepted

    def plain(loss, moved, measured):
        def pooled(domains, candidate):
            return sum(sizes[d] * loss(d) for d in domains) / sum(sizes[d] for d in domains)

        draw = lambda candidate, name, p: torch.tensor(noise[candidate]).double()  # noqa: E731
        return len(plain_search(pooled, len(sizes), moved, measured, draw, **options))

    (accepted, weights), (expected, expected_weights) = run(fast), run(plain)
    assert accepted == expected
    assert torch.equal(weights, expected_weights)


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=2, max_size=6),
    rho=st.sampled_from([1e-3, 1e-2, 0.1]),
    steps=st.integers(1, 25),
    tolerance=st.sampled_from([1e-3, 0.1]),
    proposal=st.sampled_from(["walk", "best"]),
    dropout=st.sampled_from([0.0, 0.5]),
    fixed=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_decisions_equal_the_plain_search_on_a_network(sizes, rho, steps, tolerance, proposal, dropout, fixed, seed):
    with preserve_random_states([]):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3)).double()
        data = [(torch.randn(n, 6).double() + d, torch.randint(3, (n,))) for d, n in enumerate(sizes)]
    options = {"rho": rho, "steps": steps, "tolerance": tolerance, "proposal": proposal}
    twin = copy.deepcopy(network)

    def loss(domain):
        return F.cross_entropy(network(data[domain][0]), data[domain][1])

    def pooled(domains, candidate):
        logits = []
        for domain in domains:
            seed_globally(torch.device("cpu"), seed, "draws", START if fixed else candidate, domain)
            logits.append(twin(data[domain][0]))
        return F.cross_entropy(torch.cat(logits), torch.cat([data[domain][1] for domain in domains]))

    moved = dict(network[0].named_parameters())
    found = anneal(loss, sizes, moved, list(network.parameters()), seed=seed, fixed_draws=fixed, **options)
    with preserve_random_states([]):
        accepted = plain_search(
            pooled,
            len(sizes),
            dict(twin[0].named_parameters()),
            list(twin.parameters()),
            lambda candidate, name, p: uniform(p, seed, "noise", candidate, name),
            **options,
        )
    assert found.accepted == len(accepted)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), twin.parameters(), strict=True))


def test_a_candidate_that_fails_at_the_first_pair_costs_two_gradients():
    """Noise zero: every candidate ties with the start, which is no improvement; 7 candidates, 2 gradients each."""
    moved = {"w": torch.tensor([1.0, 2.0], requires_grad=True)}
    found = anneal(lambda d: ((d + 1) * moved["w"]).sin().sum(), [1] * 5, moved, [moved["w"]], rho=0.0, steps=7)
    assert found.gradients == 14
    assert found.accepted == 0
    assert found.sim_end == found.sim_start


def test_a_point_without_gradient_counts_as_minus_one():
    """Domain 1's loss is flat where x > 0: its gradient is zero and the cosine 0/0."""
    x = torch.tensor([2.0], requires_grad=True)
    found = anneal(lambda d: x.sum() if d == 0 else x.clamp(max=0).sum(), [1, 1], {"x": x}, [x], rho=0.1, steps=4)
    assert (found.sim_start, found.accepted) == (-1.0, 0)


def test_the_tolerance_is_counted_from_the_last_accepted_loss():
    """The loss is x, the similarity rises with x, each candidate adds 1: with tolerance 1.5 `best` climbs one by one,
    to 3, though the loss has then risen by twice the tolerance."""
    x = torch.tensor([0.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.0], dtype=torch.float64, requires_grad=True)

    def loss(domain):
        # At y = 0 the gradients are (1, 1) and (1, tanh(x/9)): they agree better the larger x is.
        return (x + y * (torch.tanh(x.detach() / 9) if domain else 1)).sum()

    options = {"rho": 1.0, "steps": 3, "tolerance": 1.5, "proposal": "best"}
    found = anneal(loss, [1, 1], {"x": x}, [x, y], noise=lambda *_: torch.ones(1), **options)
    assert found.accepted == 3
    assert found.loss_rise == 3.0
    assert x.item() == 3.0
