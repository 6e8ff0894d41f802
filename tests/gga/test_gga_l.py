"""GGA-L: the base's step with α ξ added to its gradient, α = γ (1 - mean cosine)."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from builders import BASES, CLASSES, DOMAINS, VECTOR, build, equal_states, minibatches, seed_all, train
from torch import nn

from domainbed.algorithms import get_algorithm_class
from domainbed.errors import InputError
from domainbed_gga.gga_l import GGA_L


def flat(gradients):
    return torch.cat([g.reshape(-1) for g in gradients])


def expected_gradient(network, batches):
    """(∇loss on the union, mean cosine), by one pass for the union and one per domain."""
    parameters = list(network.parameters())
    x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    union = flat(torch.autograd.grad(F.cross_entropy(network(x), y), parameters))
    each = [flat(torch.autograd.grad(F.cross_entropy(network(x), y), parameters)) for x, y in batches]
    cosines = [F.cosine_similarity(a, b, dim=0) for a, b in itertools.combinations(each, 2)]
    return union, torch.stack(cosines).mean()


def stepped_gradient(algorithm, batches, monkeypatch):
    """The gradient with which the optimizer steps, and the metrics."""
    seen = []
    optimizer = algorithm.base.optimizer
    handle = optimizer.register_step_pre_hook(
        lambda *_: seen.append(flat([p.grad.clone() for p in algorithm.base.network.parameters()]))
    )
    metrics = algorithm.update(batches)
    handle.remove()
    assert len(seen) == 1
    return seen[0], metrics


def test_without_batchnorm_the_gradient_is_the_union_s_with_noise(monkeypatch):
    """Unequal batch sizes; noise one everywhere, so that the step is ∇loss + γ (1 - sim)."""
    algorithm = build("ERM_GGA_L", gga_l_gamma=0.5)
    batches = [(x[: 3 + d], y[: 3 + d]) for d, (x, y) in enumerate(minibatches(0))]
    union, sim = expected_gradient(algorithm.base.network, batches)
    monkeypatch.setattr(algorithm, "noise", lambda like, *_: torch.ones_like(like))
    x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    loss = F.cross_entropy(algorithm.predict(x), y).item()
    passes = count_passes(algorithm.base.network)
    gradient, metrics = stepped_gradient(algorithm, batches, monkeypatch)
    assert len(passes) == 3
    assert metrics == {"loss": pytest.approx(loss), "gga_l_sim": pytest.approx(sim.item(), abs=1e-6)}
    torch.testing.assert_close(gradient, union + 0.5 * (1 - sim))


@pytest.mark.parametrize("frozen", [False, True])
def test_where_batchnorm_mixes_samples_the_union_is_computed_by_itself(frozen, monkeypatch):
    """Unfrozen: the union's batch statistics are not the domains', and move once, by the base's own pass."""
    algorithm = build("ERM_GGA_L", gga_l_gamma=0.5)
    norm = algorithm.base.featurizer.activation = nn.BatchNorm1d(algorithm.base.featurizer.n_outputs, affine=False)
    algorithm.train()
    norm.train(not frozen)
    batches = minibatches(0)
    union, sim = expected_gradient(algorithm.base.network, batches)
    norm.reset_running_stats()
    monkeypatch.setattr(algorithm, "noise", lambda like, *_: torch.ones_like(like))
    passes = count_passes(algorithm.base.network)
    gradient, _ = stepped_gradient(algorithm, batches, monkeypatch)
    assert len(passes) == (3 if frozen else 4)
    assert norm.num_batches_tracked.item() == (0 if frozen else 1)
    torch.testing.assert_close(gradient, union + 0.5 * (1 - sim))


class WarmedUp(get_algorithm_class("ERM")):
    """An ERM whose update is another."""

    def update(self, minibatches, unlabeled=None):
        return super().update(minibatches, unlabeled) | {"mine": 1.0}


def other_update(self, minibatches, unlabeled=None):
    return {"mine": 1.0}


@pytest.mark.parametrize("replace", ["subclass", "class", "instance"])
def test_an_update_that_is_not_the_usual_one_is_called(replace, monkeypatch):
    algorithm = build("ERM_GGA_L")
    if replace == "subclass":
        hparams, wrapped = algorithm.hparams, GGA_L.wrap("WarmedUp_GGA_L", WarmedUp)
        algorithm = wrapped(VECTOR, CLASSES, DOMAINS, hparams)
    elif replace == "class":
        monkeypatch.setattr(get_algorithm_class("ERM"), "update", other_update)
    else:
        algorithm.base.update = lambda minibatches, unlabeled=None: {"mine": 1.0}
    metrics = algorithm.update(minibatches(0))
    assert metrics["mine"] == 1.0
    assert "gga_l_sim" in metrics


def test_a_step_that_has_been_replaced_is_called(monkeypatch):
    algorithm, calls = build("ERM_GGA_L"), []
    monkeypatch.setattr(get_algorithm_class("ERM"), "step", lambda *_: calls.append(1))
    algorithm.update(minibatches(0))
    assert calls == [1]


def count_passes(network):
    passes = []
    network.register_forward_hook(lambda *_: passes.append(1))
    return passes


@pytest.mark.parametrize(("noise", "mean", "std"), [("normal", 0.0, 1.0), ("uniform", 0.5, 12**-0.5)])
def test_the_noise_has_the_chosen_distribution(noise, mean, std):
    drawn = build("ERM_GGA_L", gga_l_noise=noise).noise(torch.empty(200, 200), 1, 2)
    assert drawn.mean().item() == pytest.approx(mean, abs=0.02)
    assert drawn.std().item() == pytest.approx(std, abs=0.02)


@pytest.mark.parametrize("base", [name for name in BASES if name != "ERM"])
def test_around_any_base_the_noise_reaches_its_steps(base):
    """Tiny noise moves the weights a little, the same from the same seed, and draws nothing from global generators."""
    bare, wrapped, twin = (
        build(base),
        build(f"{base}_GGA_L", gga_l_gamma=1e-3),
        build(f"{base}_GGA_L", gga_l_gamma=1e-3),
    )
    for algorithm in (bare, wrapped, twin):
        seed_all(1)
        train(algorithm, [0])
        algorithm.state = torch.get_rng_state()
    assert torch.equal(bare.state, wrapped.state)
    assert not equal_states(bare.state_dict(), wrapped.base.state_dict())
    assert equal_states(twin.state_dict(), wrapped.state_dict())


def test_the_noise_reaches_an_optimizer_made_during_the_update(monkeypatch):
    """IRM makes a new Adam when its penalty sets in."""
    algorithm = build("IRM_GGA_L", irm_penalty_anneal_iters=0)
    drawn = []
    monkeypatch.setattr(algorithm, "noise", lambda like, *_: drawn.append(1) or torch.zeros_like(like))
    train(algorithm, [0])
    assert len(drawn) == len(list(algorithm.parameters()))


def test_the_noise_reaches_optimizers_that_are_held_in_a_list():
    bare, wrapped = build("CORAL"), build("CORAL_GGA_L", gga_l_gamma=1.0)
    wrapped.base.optimizers = [wrapped.base.optimizer]
    del wrapped.base.optimizer
    wrapped.base.step = lambda loss: step(wrapped.base.optimizers[0], loss)
    train(bare, [0]), train(wrapped, [0])
    assert not equal_states(dict(bare.named_parameters()), dict(wrapped.named_parameters()))


def step(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_each_update_step_and_parameter_has_noise_of_its_own(monkeypatch):
    """Fish steps once per domain in an update; hidden layers have equal shapes."""
    algorithm = build("Fish_GGA_L", mlp_depth=4)
    places = []
    monkeypatch.setattr(algorithm, "noise", lambda like, *place: places.append(place) or torch.zeros_like(like))
    train(algorithm, range(2))
    assert len(places) > 2 * len(list(algorithm.base.network.parameters()))
    assert len(set(places)) == len(places)


def test_a_domain_without_gradient_counts_as_minus_one():
    algorithm = build("ERM_GGA_L")
    batches = minibatches(0)
    with torch.no_grad():
        algorithm.base.classifier.weight.zero_()
        algorithm.base.classifier.bias.copy_(torch.tensor([200.0, 0, 0, 0]))
    batches[0] = (batches[0][0], torch.zeros_like(batches[0][1]))
    assert algorithm.update(batches)["gga_l_sim"] == -1.0


def test_an_unknown_noise_is_refused_at_once():
    with pytest.raises(InputError, match="normal, uniform"):
        build("ERM_GGA_L", gga_l_noise="pink")
