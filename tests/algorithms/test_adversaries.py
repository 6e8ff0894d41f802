"""DANN, CDANN, ADRMX: methods with a domain discriminator."""

import math

import pytest
import torch
import torch.nn.functional as F
from small import data, gradients, small, weights

from domainbed.algorithms.adrmx import remix_pairs
from domainbed.algorithms.contrastive import SupConLossLambda
from domainbed.algorithms.dann import is_discriminator_turn
from domainbed.algorithms.minibatches import domain_labels, pool


@pytest.mark.parametrize(("steps", "turns"), [(1, "GDGDGD"), (2, "DGDDGD"), (3, "DDGDDD")])
def test_of_every_round_one_turn_is_the_generators(steps, turns):
    assert "".join("D" if is_discriminator_turn(t, steps) else "G" for t in range(1, 7)) == turns


@pytest.mark.parametrize("name", ["DANN", "CDANN"])
@pytest.mark.parametrize("grad_penalty", [0.0, 0.7])
def test_the_generator_climbs_the_discriminators_loss(name, grad_penalty):
    batches = data(6, 5)
    x, y = pool(batches)
    grads = {}
    for strength in (0.0, 2.0):
        algorithm = small(name, **{"lambda": strength, "grad_penalty": grad_penalty})
        algorithm.update(batches)
        grads[strength] = gradients(algorithm.featurizer)
    algorithm = small(name, grad_penalty=grad_penalty)
    algorithm.discriminator_loss(algorithm.featurizer(x), y, domain_labels(batches)).backward()
    assert torch.allclose(grads[2.0], grads[0.0] - 2 * gradients(algorithm.featurizer))


@pytest.mark.parametrize("name", ["DANN", "CDANN"])
def test_each_side_learns_in_its_own_turn(name):
    algorithm = small(name, weight_decay_d=0.1)
    for key, moving, resting in [
        ("gen_loss", algorithm.featurizer, algorithm.discriminator),
        ("disc_loss", algorithm.discriminator, algorithm.featurizer),
    ]:
        before = weights(moving), weights(resting), algorithm.class_embeddings.weight.clone()
        assert list(algorithm.update(data(6, 5))) == [key]
        assert not torch.equal(weights(moving), before[0])
        assert torch.equal(weights(resting), before[1])
    assert torch.equal(algorithm.class_embeddings.weight, before[2]) == (name == "DANN")


def test_gradient_penalty_of_a_linear_discriminator_is_that_of_softmax_regression():
    """With d(u) = W u + b the gradient of CE in u_i is Wᵀ (softmax(d(u_i)) - onehot(domain_i))."""
    algorithm = small("DANN", grad_penalty=1.0)
    algorithm.discriminator = torch.nn.Linear(5, 2).double()
    z = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    domains = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    logits = algorithm.discriminator(z)
    error = logits.softmax(1) - F.one_hot(domains)
    expected = F.cross_entropy(logits, domains) + (error @ algorithm.discriminator.weight).square().sum(1).mean()
    assert torch.allclose(algorithm.discriminator_loss(z, domains, domains), expected)


def test_cdann_discriminator_loss_is_class_balanced():
    """Labels 0 (three times) and 2 (once), so M = 3: class means 1 and 5 count a third each, class 1 has nobody."""
    losses = torch.tensor([0.5, 1.0, 1.5, 5.0])
    assert small("CDANN").mean_loss(losses, torch.tensor([0, 0, 0, 2])).item() == pytest.approx((1 + 5) / 3)


def contrast_by_loops(features, labels, domains, lamda, temperature):
    unit = F.normalize(features, dim=1)
    terms = []
    for i in range(len(unit)):
        others = [j for j in range(len(unit)) if j != i]
        share = {
            j: (lamda if domains[j] == domains[i] else 1 - lamda) * math.exp(float(unit[i] @ unit[j]) / temperature)
            for j in others
        }
        positives = [math.log(share[j] / (sum(share.values()) + 1e-5) + 1e-5) for j in others if labels[j] == labels[i]]
        if positives:
            terms.append(sum(positives) / len(positives))
    return -sum(terms) / (len(terms) + 1)


@pytest.mark.parametrize("lamda", [0.5, 0.2])
def test_contrastive_loss_equals_its_definition(lamda):
    features = torch.randn(9, 4, dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1, 2, 0, 1, 3, 0])  # 2 and 3 have nobody to be near to
    domains = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    loss = SupConLossLambda(lamda, 0.5)(features, labels, domains)
    assert loss.item() == pytest.approx(contrast_by_loops(features, labels, domains, lamda, 0.5))


def test_contrastive_loss_without_any_pair_is_zero_with_finite_gradients():
    features = torch.randn(3, 4, requires_grad=True)
    loss = SupConLossLambda()(features, torch.arange(3), torch.zeros(3))
    loss.backward()
    assert loss == 0
    assert torch.equal(features.grad, torch.zeros(3, 4))


def test_adrmx_remixes_positions_below_the_size_of_the_class():
    torch.manual_seed(0)
    first, second = remix_pairs(torch.tensor([1, 3, 3, 1, 1, 0]), 4)
    assert first.tolist() != second.tolist()
    assert len(first) == 2  # classes 1 and 3
    assert max(first[0], second[0]) < 3
    assert max(first[1], second[1]) < 2


def test_adrmx_adds_nothing_for_a_batch_without_pairs():
    algorithm = small("ADRMX", classes=4, d_steps_per_g_step=1)
    batches = [(x, torch.tensor(y)) for (x, _), y in zip(data(2, 2), ([0, 1], [2, 3]), strict=True)]
    result = algorithm.update(batches)
    assert result["loss_remixed"] == result["loss_cnt_int"] == 0
    assert math.isfinite(result["loss_total"])


def test_adrmx_total_is_the_weighted_sum_of_its_terms():
    chosen = {"dclf_lambda": 0.3, "rmxd_lambda": 0.6, "cnt_lambda": 0.2, "disc_lambda": 0.9, "d_steps_per_g_step": 1}
    r = small("ADRMX", **chosen).update(data(6, 6))
    expected = r["loss_clf_int"] + r["loss_clf_fin"] + 0.3 * r["loss_dmn"] + 0.6 * r["loss_remixed"]
    expected += 0.2 * (r["loss_cnt_int"] + r["loss_cnt_final"]) - 0.9 * r["loss_disc"]
    assert r["loss_total"] == pytest.approx(expected)
