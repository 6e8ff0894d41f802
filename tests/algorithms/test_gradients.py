"""Methods that look at the domains' gradients: AND-mask, SAND-mask, IGA, Fishr, Fish, MLDG."""

import copy

import pytest
import torch
import torch.nn.functional as F
from builders import seed_all
from small import data, gradient_of, gradients, small, weights

from domainbed.algorithms.fishr import per_sample_gradients
from domainbed.algorithms.masks import and_mask, sand_mask
from domainbed.errors import InputError
from domainbed.networks import Classifier

GRADIENTS = torch.tensor([[1.0, 2.0, -3.0, 0.0], [2.0, -1.0, -1.0, 1.0], [3.0, 4.0, -2.0, 1.0]])


def test_and_mask_with_tau_one_keeps_unanimous_signs_alone():
    assert and_mask(GRADIENTS, 1).tolist() == [1, 0, 1, 0]
    assert and_mask(GRADIENTS, 0.3).tolist() == [1, 1, 1, 1]


def test_and_mask_rescales_what_it_keeps():
    algorithm, minibatches = small("ANDMask", lr=0.0), data(6, 6, 6)
    risks = [F.cross_entropy(algorithm.predict(x), y) for x, y in minibatches]
    bias = algorithm.classifier.bias
    g = torch.stack([torch.autograd.grad(risk, bias)[0] for risk in risks])
    mask = (g > 0).all(0) | (g < 0).all(0)
    algorithm.update(minibatches)
    torch.testing.assert_close(bias.grad, mask * g.mean(0) / (1e-10 + mask.double().mean()))


def test_sand_mask_by_hand():
    """Column 0: variance 1, full agreement: tanh(k (1 - tau)). Column 1: agreement 1/3 < tau: 0. Column 2 as 0."""
    mask = sand_mask(GRADIENTS, 0.5, 0.1)
    assert mask[[0, 2]].tolist() == pytest.approx([torch.tensor(0.05).tanh().item()] * 2)
    assert mask[1] == 0


def test_sand_mask_is_harmless_where_the_domains_agree_exactly_or_are_one():
    assert sand_mask(torch.ones(3, 2), 1.0, 10.0).tolist() == pytest.approx([1e-17, 1e-17])
    assert sand_mask(torch.ones(1, 2), 0.5, 10.0).tolist() == [1, 1]


def test_iga_penalty_is_the_scatter_of_the_domain_gradients_and_the_step_follows_it():
    algorithm, minibatches = small("IGA", penalty=10), data(4, 6, 5)
    risks = [F.cross_entropy(algorithm.predict(x), y) for x, y in minibatches]
    parameters = list(algorithm.parameters())
    g = torch.stack(
        [torch.cat([t.flatten() for t in torch.autograd.grad(r, parameters, create_graph=True)]) for r in risks]
    )
    penalty = (g - g.mean(0)).square().sum()
    expected = gradient_of(sum(risks) / 3 + 10 * penalty, algorithm)
    assert algorithm.update(minibatches)["penalty"] == pytest.approx(penalty.item())
    torch.testing.assert_close(gradients(algorithm), expected)


@pytest.mark.parametrize("nonlinear", [False, True])
def test_per_sample_gradients_are_those_of_one_sample_at_a_time(nonlinear):
    torch.manual_seed(0)
    classifier, z, y = Classifier(8, 3, nonlinear), torch.randn(5, 8), torch.tensor([0, 1, 2, 1, 0])
    got = per_sample_gradients(classifier, z, y)
    for i in range(5):
        expected = gradient_of(F.cross_entropy(classifier(z[i : i + 1]), y[i : i + 1]), classifier)
        torch.testing.assert_close(got[i], expected)


def test_fishr_penalty_vanishes_for_equal_domains_and_not_otherwise():
    same = data(6)[0]
    assert small("Fishr", penalty_anneal_iters=0).update([same] * 3)["penalty"] < 1e-30
    assert small("Fishr", penalty_anneal_iters=0).update(data(6, 6, 6))["penalty"] > 1e-8


def test_fishr_averages_variances_over_updates():
    """With the correction, the second value is v₂ + ema v₁; at a learning rate of 0 and equal data, (1 + ema) v."""
    algorithm, minibatches = small("Fishr", lr=0.0, ema=0.9), data(6, 6, 6)
    first, second = (algorithm.update(minibatches)["penalty"] for _ in range(2))
    assert second == pytest.approx(1.9**2 * first)


def test_fish_with_meta_lr_one_is_sequential_training():
    fish, erm = small("Fish", meta_lr=1.0), small("ERM")
    erm.network.load_state_dict(fish.network.net.state_dict())
    for step in range(2):
        minibatches = data(4, 6, 5, seed=step)
        fish.update(minibatches)
        for minibatch in minibatches:
            erm.update([minibatch])
    torch.testing.assert_close(weights(fish), weights(erm))


def test_fish_goes_meta_lr_of_the_way():
    start, half, whole = small("Fish"), small("Fish", meta_lr=0.5), small("Fish", meta_lr=1.0)
    minibatches = data(4, 6, 5)
    half.update(minibatches)
    whole.update(minibatches)
    torch.testing.assert_close(weights(half), (weights(start) + weights(whole)) / 2)


def test_fish_loads_a_checkpoint_that_holds_the_inner_network_too():
    fish = small("Fish")
    state = {key: value for key, value in fish.state_dict().items() if key != "_extra_state"}
    inner = {key.replace("network.", "network_inner.", 1): value + 1 for key, value in state.items()}
    fresh = small("Fish")
    fresh.load_state_dict(state | inner)
    assert torch.equal(weights(fresh), weights(fish))


def test_mldg_s_gradient_is_that_of_the_first_domain_plus_that_of_the_held_out_one_a_step_later():
    algorithm, minibatches = small("MLDG", domains=2, mldg_beta=0.7, lr=0.01), data(6, 6)
    seed_all(2)
    i, j = torch.randperm(2).tolist()
    (x_i, y_i), (x_j, y_j) = minibatches[i], minibatches[j]
    before = F.cross_entropy(algorithm.predict(x_i), y_i)
    stepped = copy.deepcopy(algorithm.network)
    optimizer = torch.optim.Adam(stepped.parameters(), lr=0.01)
    F.cross_entropy(stepped(x_i), y_i).backward()
    optimizer.step()
    after = F.cross_entropy(stepped(x_j), y_j)
    expected = (gradient_of(before, algorithm.network) + 0.7 * gradient_of(after, stepped)) / 2
    seed_all(2)
    assert algorithm.update(minibatches)["loss"] == pytest.approx((before + 0.7 * after).item() / 2)
    torch.testing.assert_close(gradients(algorithm.network), expected)


@pytest.mark.parametrize("name", ["MLDG", "TRM"])
def test_methods_that_compare_two_domains_refuse_one(name):
    with pytest.raises(InputError, match="at least two"):
        small(name, domains=1)
