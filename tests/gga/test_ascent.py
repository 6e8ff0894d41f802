"""The proposal `ascent`: a step of size rho along the sign of the gradient of the smallest cosine."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from domainbed_gga.search import anneal
from domainbed_gga.similarity import DomainGradients, NoSecondDerivative


def turning(start):
    """Two domains with the gradients (1, 0) and (cos a, sin a) with respect to y, where a is `start`.

    Their cosine is cos a, so the ascent lowers |a|. The loss is zero at y = 0.
    """
    a = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    y = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def loss(domain):
        return y[0] if domain == 0 else (y * torch.cat([a.cos(), a.sin()])).sum()

    return a, y, loss


def test_a_step_is_rho_along_the_sign_of_the_gradient():
    """Three steps of 0.1 from an angle of 1: the cosine rises from cos 1 to cos 0.7."""
    a, y, loss = turning(1.0)
    found = anneal(loss, [1, 1], {"a": a}, [y], rho=0.1, steps=3, proposal="ascent")
    assert found.accepted == 3
    assert a.item() == pytest.approx(0.7)
    assert found.sim_start == pytest.approx(math.cos(1.0))
    assert found.sim_end == pytest.approx(math.cos(0.7))


def test_the_first_step_that_does_not_help_ends_the_search():
    """From 0.25 with steps of 0.2: to 0.05; the next, to -0.15, would lower the cosine."""
    a, y, loss = turning(0.25)
    found = anneal(loss, [1, 1], {"a": a}, [y], rho=0.2, steps=5, proposal="ascent")
    assert found.accepted == 1
    assert a.item() == pytest.approx(0.05)
    assert found.gradients == 2 * (4 + 2)


def test_the_direction_is_the_derivative_of_the_smallest_cosine():
    """Against central differences of the cosine, on a network."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    data = [(torch.randn(6, 4).double() + d, torch.randint(3, (6,))) for d in range(2)]
    gradients = DomainGradients(
        lambda d: F.cross_entropy(network(data[d][0]), data[d][1]), [6, 6], list(network.parameters())
    )
    weight = network[0].weight
    (slope,) = gradients.similarity_gradient(0, (0, 1), [weight])
    for index in [(0, 0), (2, 3), (4, 1)]:
        sims = []
        for shift in (1e-6, -2e-6):
            with torch.no_grad():
                weight[index] += shift
            sims.append(gradients.measure(0).sim)
        with torch.no_grad():
            weight[index] += 1e-6
        assert slope[index].item() == pytest.approx((sims[0] - sims[1]) / 2e-6, rel=1e-4)


def test_flat_similarity_ends_the_search_where_it_began():
    """Losses linear in all parameters have constant gradients: there is no direction to go."""
    x = torch.ones(3, requires_grad=True)
    found = anneal(lambda d: x[d] + x[2], [1, 1], {"x": x}, [x], rho=0.1, proposal="ascent")
    assert found.accepted == 0
    assert torch.equal(x, torch.ones(3))


class OnceOnly(torch.autograd.Function):
    """The identity, with a backward pass that cannot be differentiated."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return _Undifferentiable.apply(slope)


class _Undifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx, slope):
        return slope.clone()

    @staticmethod
    def backward(ctx, _):
        raise NotImplementedError("the derivative for 'once_only_backward' is not implemented")


class Tanh(torch.autograd.Function):
    """The hyperbolic tangent, as extensions often write it: its backward pass is a constant to autograd."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.tanh())
        return x.tanh()

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        (y,) = ctx.saved_tensors
        return slope * (1 - y * y)


def test_an_operator_that_hides_its_second_derivative_is_refused():
    """PyTorch would leave its share out of the direction without a word."""
    a, y, loss = turning(1.0)
    with pytest.raises(NoSecondDerivative, match="once_differentiable"):
        anneal(lambda d: Tanh.apply(loss(d) + a.sum()).exp(), [1, 1], {"a": a}, [y], proposal="ascent")
    assert a.item() == 1.0


def test_an_operator_without_double_backward_is_named():
    a, y, loss = turning(1.0)
    with pytest.raises(NoSecondDerivative, match="once_only_backward"):
        anneal(lambda d: OnceOnly.apply(loss(d)).exp(), [1, 1], {"a": a}, [y], proposal="ascent")
    assert a.item() == 1.0
