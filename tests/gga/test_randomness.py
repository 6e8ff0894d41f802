"""Draws that depend on their place alone."""

import contextlib
import itertools
from types import SimpleNamespace

import pytest
import torch

from domainbed_gga.randomness import normal, seed_globally, uniform
from domainbed_gga.search import anneal


def test_uniform_noise_is_symmetric():
    drawn = uniform(torch.empty(300, 300), 0, "noise", 0, "weight")
    assert -1 <= drawn.min() < -0.999
    assert 0.999 < drawn.max() <= 1
    assert drawn.mean().item() == pytest.approx(0, abs=0.01)
    assert drawn.std().item() == pytest.approx(3**-0.5, abs=0.01)


def test_a_search_draws_anew_for_each_seed_candidate_and_parameter():
    """One candidate, always accepted, shows its noise as the change of the weights."""

    def noise_of(seed, steps):
        moved = {name: torch.zeros(8, requires_grad=True) for name in "ab"}
        turned = itertools.count()  # each gradient is closer to the others than the one before

        def loss(domain):
            weights = torch.cat(list(moved.values()))
            return weights.sum() + (domain * weights[0]) / (1 + next(turned))

        anneal(
            loss, [1, 1], moved, list(moved.values()), rho=1.0, steps=steps, tolerance=1e9, proposal="best", seed=seed
        )
        return [value.detach().clone() for value in moved.values()]

    (a, b), (other_a, _), (twice_a, _) = noise_of(0, 1), noise_of(1, 1), noise_of(0, 2)
    assert not torch.equal(a, b)
    assert not torch.equal(a, other_a)
    assert not torch.equal(twice_a, a)
    assert not torch.allclose(twice_a, 2 * a)


def test_the_device_of_the_tensors_is_seeded_not_the_current_one(monkeypatch):
    """A stand-in for a machine with two GPUs."""
    entered, seeded = [], []

    @contextlib.contextmanager
    def device(chosen):
        entered.append(chosen)
        yield
        entered.pop()

    cuda = SimpleNamespace(device=device, manual_seed=lambda seed: seeded.append((*entered, seed)))
    monkeypatch.setattr(torch, "cuda", cuda)
    second = torch.device("cuda", 1)
    state = torch.get_rng_state()
    seed_globally(second, "draws", 0)
    torch.set_rng_state(state)
    assert [where for where, _ in seeded] == [second]


@pytest.mark.parametrize("draw", [uniform, normal])
def test_the_memory_format_changes_no_draw(draw):
    plain = torch.zeros(4, 3, 5, 5)
    assert torch.equal(draw(plain.to(memory_format=torch.channels_last), 1, "noise"), draw(plain, 1, "noise"))
