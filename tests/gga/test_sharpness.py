"""SAM, GSAM, SAGM: what their steps have in common with plain gradients."""

from functools import partial

import builders
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from domainbed_gga.sharpness import frozen_running_statistics, norm, perturbed
from domainbed_gga.similarity import inner

build = partial(builders.build, domains=2, dtype=torch.float64)
data = partial(builders.minibatches, 3, (5, 7), dtype=torch.float64)


def flat(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def step_gradient(name, **hparams):
    algorithm = build(name, **hparams)
    algorithm.update(data())
    return flat(p.grad for p in algorithm.network.parameters())


def gradient_at(offset=0.0):
    """∇CE of the initial network, its weights moved by `offset`, one number for each weight."""
    network = build("ERM").network
    with torch.no_grad():
        moved = flat(network.parameters()) + offset
        nn.utils.vector_to_parameters(moved, network.parameters())
    x, y = (torch.cat(parts) for parts in zip(*data(), strict=True))
    return flat(torch.autograd.grad(F.cross_entropy(network(x), y), list(network.parameters())))


def test_sam_is_the_gradient_at_distance_rho_uphill():
    g = gradient_at()
    assert torch.allclose(step_gradient("SAM", rho=0.3), gradient_at(0.3 * g / g.norm()))


def test_sam_with_rho_zero_is_erm_and_reports_the_perturbed_loss():
    algorithm, plain = build("SAM", rho=0.0), build("ERM")
    assert algorithm.update(data()) == plain.update(data())
    assert torch.equal(flat(algorithm.parameters()), flat(plain.parameters()))
    assert build("SAM", rho=0.3).update(data())["loss"] > build("ERM").update(data())["loss"]


def test_sam_survives_a_zero_gradient():
    """With a single class the loss is 0 everywhere."""
    algorithm = build("SAM", classes=1)
    before = flat(algorithm.parameters())
    algorithm.update(data(classes=1))
    assert torch.equal(flat(algorithm.parameters()), before)


def test_sagm_with_alpha_zero_is_the_mean_of_the_gradients_of_erm_and_sam():
    mean = (gradient_at() + step_gradient("SAM", rho=0.05)) / 2
    assert torch.allclose(step_gradient("SAGM", alpha=0.0), mean)


def test_sagm_moves_back_by_alpha_gradients():
    g = gradient_at()
    moved = gradient_at((0.05 / g.norm() - 0.4) * g)
    assert torch.allclose(step_gradient("SAGM", alpha=0.4), (g + moved) / 2)


def test_gsam_adds_to_sam_only_what_is_orthogonal_to_it():
    sam = step_gradient("SAM", rho=0.05)
    assert torch.allclose(step_gradient("GSAM", alpha=0.0), sam)
    added = (step_gradient("GSAM", alpha=0.5) - sam) / -0.5
    assert added @ sam == pytest.approx(0, abs=1e-9)
    g = gradient_at()
    assert torch.allclose(added, g - (g @ sam) / (sam @ sam) * sam, atol=1e-9)


@pytest.mark.parametrize("name", ["GSAM", "SAGM"])
def test_gsam_and_sagm_report_the_clean_loss(name):
    assert build(name).update(data()) == build("ERM").update(data())


def test_batch_statistics_move_once_in_gsam_and_sagm_and_twice_in_sam():
    images = (1, 32, 32)
    one_minibatch = builders.minibatches(3, (2,), shape=images, dtype=torch.float64)
    plain = build("ERM", shape=images)
    plain.update(one_minibatch)
    for name, same in [("SAM", False), ("GSAM", True), ("SAGM", True)]:
        algorithm = build(name, shape=images)
        algorithm.update(one_minibatch)
        assert torch.equal(algorithm.featurizer.bn1.running_mean, plain.featurizer.bn1.running_mean) == same
        assert algorithm.featurizer.bn1.momentum == 0.9
        assert algorithm.featurizer.bn1.num_batches_tracked == 2


def test_displacements_end_exactly_where_they_began_even_after_an_error():
    parameters = [torch.randn(5), torch.randn(2, 3)]
    before = [p.clone() for p in parameters]
    layer = nn.BatchNorm1d(3, momentum=None)

    def failing():
        with (
            perturbed(parameters, [torch.ones(5), torch.ones(2, 3)], torch.tensor(0.1)),
            frozen_running_statistics(layer),
        ):
            assert not torch.equal(parameters[0], before[0])
            assert layer.momentum == 0
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        failing()
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))
    assert layer.momentum is None


def test_norm_and_inner_product_read_all_tensors_as_one_vector():
    a, b = [torch.randn(3), torch.randn(2, 2)], [torch.randn(3), torch.randn(2, 2)]
    assert norm(a).item() == pytest.approx(flat(a).norm().item())
    assert inner(a, b).item() == pytest.approx((flat(a) @ flat(b)).item(), abs=1e-6)
