"""The search moves the weights it was given and leaves everything else as it found it."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from domainbed_gga.search import anneal

SIZES = [4, 4, 4]


def toy():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3))
    data = [(torch.randn(4, 5) + d, torch.randint(3, (4,))) for d in range(3)]
    return network, lambda d: F.cross_entropy(network(data[d][0]), data[d][1])


def run(network, loss, **options):
    moved = dict(network[0].named_parameters())
    return anneal(loss, SIZES, moved, list(network.parameters()), **{"rho": 0.01, "steps": 10} | options)


def snapshot(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def unchanged(network, before):
    return all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


def test_gradients_and_flags_stay():
    network, loss = toy()
    loss(0).backward()
    network[3].bias.requires_grad_(False)
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    flags = [parameter.requires_grad for parameter in network.parameters()]
    run(network, loss)
    assert all(torch.equal(p.grad, g) for p, g in zip(network.parameters(), gradients, strict=True))
    assert [parameter.requires_grad for parameter in network.parameters()] == flags


def test_random_states_stay():
    network, loss = toy()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    run(network, loss)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1][1])
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("proposal", ["walk", "best", "ascent"])
def test_weights_and_random_states_return_when_the_search_is_broken_off(raised, proposal):
    network, loss = toy()
    before, state = snapshot(network), torch.get_rng_state()
    calls = iter(range(1000))

    def breaking(domain):
        if next(calls) == 8:
            raise raised
        return loss(domain)

    with pytest.raises(raised):
        run(network, breaking, proposal=proposal, tolerance=10.0)
    assert unchanged(network, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_frozen_parameters_are_neither_perturbed_nor_measured():
    """A classifier that is frozen changes nothing in the similarity, so the search equals one without it."""
    (network, loss), (twin, twin_loss) = toy(), toy()
    network[0].bias.requires_grad_(False)
    network[3].requires_grad_(False)
    before = snapshot(network)
    found = run(network, loss)
    twin[0].bias.requires_grad_(False)
    expected = anneal(twin_loss, SIZES, {"weight": twin[0].weight}, [twin[0].weight], rho=0.01, steps=10)
    assert found == expected
    assert torch.equal(network[0].bias, before[1])
    assert torch.equal(network[0].weight, twin[0].weight)


@pytest.mark.parametrize(
    ("proposal", "sizes", "trained", "message"),
    [
        ("hop", [1, 1], True, "walk, best, ascent"),
        ("walk", [1], True, "two domains"),
        ("walk", [1, 1], False, "require"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_words(proposal, sizes, trained, message):
    weight = torch.ones(2, requires_grad=trained)
    with pytest.raises(ValueError, match=message):
        anneal(lambda domain: weight.sum() * domain, sizes, {"weight": weight}, [weight], proposal=proposal)


def test_the_search_works_without_gradients_enabled_around_it():
    (network, loss), (twin, twin_loss) = toy(), toy()
    with torch.no_grad():
        found = run(network, loss)
    assert found == run(twin, twin_loss)


def test_under_autocast_every_computation_meets_the_weights_of_its_moment():
    """Autocast keeps copies of the weights, in half precision, and does not notice that they move."""
    network, loss = toy()
    losses = []

    def recording(domain):
        losses.append(loss(domain))
        return losses[-1]

    network.eval()
    with torch.autocast("cpu", torch.bfloat16):
        found = run(network, recording, rho=0.5, tolerance=1e9)
        after = loss(0)
        torch.clear_autocast_cache()
        assert after == loss(0)
    assert found.accepted > 0
    assert len({value.item() for value in losses}) == len(losses)


def test_masks_are_shared_by_candidates_where_draws_are_fixed():
    """Two evaluations of the same weights agree if and only if they meet the same dropout masks."""
    network, loss = toy()
    seen = []

    def recording(domain):
        value = loss(domain)
        seen.append((domain, value.item()))
        return value

    run(network, recording, rho=0.0, fixed_draws=True)
    assert len(set(seen)) == len(SIZES)
    seen.clear()
    run(network, recording, rho=0.0, fixed_draws=False)
    assert len(set(seen)) == len(seen)


def test_the_deprecated_noise_of_the_module_is_that_of_searches_without_one(monkeypatch):
    """Shrinking steps upwards; a search that is given a noise of its own ignores it."""

    def upwards(candidate, name, shape):
        return torch.ones(shape) / (1 + candidate)

    (network, loss), (twin, twin_loss), (given, given_loss) = toy(), toy(), toy()
    options = {"proposal": "best", "tolerance": 10.0, "rho": 0.1}
    expected = run(network, loss, noise=upwards, **options)
    assert expected.accepted > 0
    monkeypatch.setattr("domainbed_gga.search.NOISE", upwards)
    assert run(twin, twin_loss, **options) == expected
    assert unchanged(twin, snapshot(network))
    downwards = run(given, given_loss, noise=lambda *place: -upwards(*place), **options)
    assert downwards != expected


class Waits(TorchDispatchMode):
    """Counts the operations that make the host wait for the device: those that read a tensor's value."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_the_host_waits_once_per_compared_pair():
    """At the start three pairs and the loss are read; each candidate that ties with it is refused at its first pair."""
    network, loss = toy()
    with Waits() as waits:
        found = run(network, loss, rho=0.0, steps=6, fixed_draws=True)
    assert found.accepted == 0
    assert waits.count == 3 + 1 + 6
