"""SagNet, RSC, SelfReg, CAD, CondCAD, URM: methods that work on the features."""

import math

import pytest
import torch
import torch.nn.functional as F
from small import data, small, weights

from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.rsc import top_threshold
from domainbed.algorithms.sagnet import randomize
from domainbed.algorithms.selfreg import contrast, same_class_partners
from domainbed.errors import InputError


def standardized(h):
    flat = h.flatten(2) if h.dim() > 2 else h
    return (flat - flat.mean(-1, keepdim=True)) / flat.std(-1, keepdim=True)


@pytest.mark.parametrize("shape", [(8, 6), (8, 3, 4, 4)])
def test_sagnet_changes_the_style_and_keeps_the_content(shape):
    h = torch.randn(shape, dtype=torch.float64)
    restyled = randomize(h, "style")
    assert not torch.allclose(restyled, h)
    assert torch.allclose(standardized(restyled), standardized(h), atol=1e-3)


def test_sagnet_changes_the_content_and_keeps_the_style():
    h = torch.randn(8, 6, dtype=torch.float64)
    torch.manual_seed(0)
    other = randomize(h, "content")
    assert torch.allclose(other.mean(1), h.mean(1))
    assert torch.allclose(other.std(1), h.std(1), atol=1e-3)
    torch.manual_seed(0)
    torch.rand(8, 1)
    assert torch.allclose(standardized(other), standardized(h)[torch.randperm(8)], atol=1e-3)


def test_sagnet_with_one_sample_has_nothing_to_exchange():
    h = torch.randn(1, 6, dtype=torch.float64)
    for what in ("style", "content"):
        assert torch.allclose(randomize(h, what), h)


def test_sagnet_adversary_is_least_where_the_style_says_nothing():
    algorithm = small("SagNet", sag_w_adv=1.0)
    torch.nn.init.zeros_(algorithm.network_s.weight)
    torch.nn.init.zeros_(algorithm.network_s.bias)
    algorithm.optimizer_s.param_groups[0]["lr"] = 0.0
    assert algorithm.update(data(4, 4))["loss_adv"] == pytest.approx(math.log(3))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_rsc_mutes_the_stated_share_of_features_in_the_stated_share_of_samples(share):
    """At zero share the threshold is the largest value itself, which is not below it: one feature, one sample."""
    algorithm = small("RSC", domains=1, rsc_f_drop_factor=share, rsc_b_drop_factor=0.5, mlp_width=9)
    z = torch.randn(21, 9, dtype=torch.float64)
    mask = algorithm.mask(z, torch.randint(3, (21,)))
    changed = ~mask.all(1)
    assert changed.sum() == 11  # the upper half of 21 and the median itself
    assert ((~mask[changed]).sum(1) == 1 + math.floor(8 * share)).all()


def test_rsc_mutes_the_features_that_raise_the_true_logit_most():
    """For a linear classifier the gradient of o_y in z is the row of y."""
    algorithm = small("RSC", rsc_f_drop_factor=0.5, rsc_b_drop_factor=1.0)
    z, y = torch.randn(4, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    rows = algorithm.classifier.weight[y]
    mask = algorithm.mask(z, y)
    assert torch.equal(mask, rows < rows.median(1, keepdim=True).values)


def test_rsc_threshold_is_not_above_the_order_statistic_it_falls_on():
    """Position (40 - 1) (1 - 1/3) = 26 exactly; a float above 2/3 would interpolate beyond it."""
    values = torch.arange(40.0)
    assert top_threshold(values, 1 / 3) <= 26


def test_selfreg_partners_are_of_the_same_class():
    y = torch.tensor([0, 0, 0, 1, 1, 4])
    partners = same_class_partners(y)
    assert torch.equal(y[partners], torch.stack([y, y]))
    assert all(torch.equal(row.sort().values, torch.arange(6)) for row in partners)


def test_selfreg_contrast_is_zero_where_the_samples_of_a_class_agree():
    y = torch.tensor([0, 0, 1, 1, 1])
    agreed = torch.randn(2, 3)[y]
    assert contrast(agreed, agreed, same_class_partners(y), 0.3).item() == pytest.approx(0, abs=1e-9)
    assert contrast(agreed, agreed + 2.0, same_class_partners(y), 0.3).item() == pytest.approx(4, abs=1e-5)


def test_selfreg_projection_stays_what_it_was():
    algorithm = small("SelfReg")
    before = weights(algorithm.cdpl)
    algorithm.update(data(6, 6))
    assert torch.equal(weights(algorithm.cdpl), before)


def bottleneck_by_loops(z, y, d, temperature, conditional, flipped):
    """Definition of b, sample by sample, with plain exponentials."""
    n = len(z)
    s = [[0.0 if i == j else float(z[i] @ z[j]) / temperature for j in range(n)] for i in range(n)]
    terms = []
    for i in range(n):
        mates = [j for j in range(n) if j != i and y[j] == y[i]]
        whole = mates if conditional else [j for j in range(n) if j != i]
        pool_ = mates if conditional else range(n)
        part = [j for j in pool_ if (d[j] != d[i]) == flipped]
        if mates and part:
            share = sum(math.exp(s[i][j]) for j in part) / sum(math.exp(s[i][k]) for k in whole)
            terms.append((-1 if flipped else 1) * temperature / 0.07 * math.log(share))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("flipped", [True, False])
@pytest.mark.parametrize("name", ["CAD", "CondCAD"])
def test_bottleneck_equals_its_definition(name, flipped):
    algorithm = small(name, is_flipped=flipped, temperature=0.5)
    z = torch.randn(9, 3, dtype=torch.float64)
    y, d = torch.tensor([0, 0, 1, 1, 2, 0, 1, 3, 0]), torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    expected = bottleneck_by_loops(z, y, d, 0.5, name == "CondCAD", flipped)
    assert algorithm.bottleneck(z, y, d).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["CAD", "CondCAD"])
def test_bottleneck_of_one_domain_is_zero_with_finite_gradients(name):
    algorithm = small(name, domains=1)
    result = algorithm.update(data(6))
    assert result["bn_loss"] == 0
    assert result["total_loss"] == result["clf_loss"]
    assert weights(algorithm).isfinite().all()


@pytest.mark.parametrize("name", ["CAD", "CondCAD"])
def test_bottleneck_of_far_apart_features_is_finite(name):
    z = torch.tensor([[100.0, 0.0], [100.0, 1.0], [0.0, 100.0], [-100.0, 3.0]], requires_grad=True)
    labels, domains = torch.zeros(4, dtype=torch.int64), torch.tensor([0, 0, 1, 1])
    loss = small(name).bottleneck(z, labels, domains)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.isfinite().all()


def test_bottleneck_of_projected_unit_vectors_ignores_their_length():
    algorithm = small("CAD", is_project=True, is_normalized=True)
    torch.nn.init.zeros_(algorithm.project[0].bias)
    torch.nn.init.zeros_(algorithm.project[2].bias)
    z, y, d = torch.randn(6, 5, dtype=torch.float64), torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 2, 0, 1, 2])
    assert torch.allclose(algorithm.bottleneck(z, y, d), algorithm.bottleneck(3 * z, y, d))


@pytest.mark.parametrize(("output", "low", "high"), [("tanh", -1, 1), ("sigmoid", 0, 1), ("relu", 0, math.inf)])
def test_urm_features_lie_where_its_noise_lies(output, low, high):
    algorithm = small("URM", urm_generator_output=output)
    (x, _), *_ = data(50)
    z = algorithm.featurizer(10 * x)
    assert algorithm.least == low
    assert z.min() >= low
    assert z.max() <= high


def test_urm_discriminator_learns_to_tell_noise_from_features():
    algorithm = small("URM", lr=0.0, urm_discriminator_lr=0.01, urm_discriminator_hidden_layers=2)
    batches = data(40, 40)
    for _ in range(60):
        algorithm.update(batches)
    z = algorithm.featurizer(pool(batches)[0])
    noise = 2 * torch.rand_like(z) - 1
    assert algorithm.discriminator(noise).mean() > algorithm.discriminator(z).mean()


def test_urm_generator_raises_what_the_discriminator_says_of_its_features():
    """One step of the featurizer at classification weight zero lowers BCE(d(z), 1)."""
    algorithm = small("URM", urm_adv_lambda=100.0, urm_discriminator_lr=0.0, lr=1e-3)
    x, _ = pool(data(20, 20))
    before = F.softplus(-algorithm.discriminator(algorithm.featurizer(x))).mean()
    algorithm.update(data(20, 20))
    assert F.softplus(-algorithm.discriminator(algorithm.featurizer(x))).mean() < before


def test_urm_refuses_features_without_a_range_of_noise():
    with pytest.raises(InputError, match="urm_generator_output must be one of tanh, sigmoid, relu, not 'identity'"):
        small("URM", urm_generator_output="identity")
