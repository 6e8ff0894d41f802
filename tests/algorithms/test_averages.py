"""Averages over training, and LARS."""

import pytest
import torch
from torch import nn

from domainbed.algorithms.averages import ErmPlusPlusMovingAvg, MovingAverage
from domainbed.algorithms.lars import LARS


def test_moving_average_is_the_geometric_sum_of_what_it_saw():
    average = MovingAverage(0.9)
    values = torch.randn(4, 2, 3, dtype=torch.float64)
    results = [average.update({"w": value})["w"] for value in values]
    expected = sum(0.9 ** (3 - t) * value for t, value in enumerate(values)).reshape(1, 6)
    assert torch.allclose(results[-1], expected)


def test_moving_average_without_correction_of_a_constant_approaches_it():
    average = MovingAverage(0.5, oneminusema_correction=False)
    last = [average.update({"w": torch.ones(2)})["w"] for _ in range(4)][-1]
    assert torch.equal(last, torch.full((1, 2), 1 - 0.5**4))


def test_moving_average_passes_gradients_to_the_newest_value_alone():
    average = MovingAverage(0.9)
    values = [torch.ones(3, requires_grad=True) for _ in range(2)]
    for value in values:
        result = average.update({"w": value})["w"]
    result.sum().backward()
    assert values[0].grad is None
    assert torch.allclose(values[1].grad, torch.ones(3))  # (1 - ema) / (1 - ema)


def test_moving_average_continues_from_its_state():
    first, second = MovingAverage(0.9), MovingAverage(0.9)
    first.update({"w": torch.ones(3)})
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.update({"w": torch.zeros(3)})["w"], second.update({"w": torch.zeros(3)})["w"])


def test_network_average_is_the_mean_of_all_states_since_the_one_before_the_start():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = ErmPlusPlusMovingAvg(network)
    average.sma_start_iter = 3
    seen = []
    for step in range(5):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(step)
            network[1].running_mean.fill_(10.0 * step)
        average.update_sma()
        seen.append(average.network_sma[0].weight[0, 0].item())
    assert seen == [0, 1, (1 + 2) / 2, (1 + 2 + 3) / 3, (1 + 2 + 3 + 4) / 4]
    assert average.network_sma[1].running_mean[0] == 25
    assert average.network_sma[1].num_batches_tracked == 0


def test_lars_steps_by_a_share_of_the_weights_whatever_the_gradient():
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    before = weight.detach().clone(), bias.detach().clone()
    optimizer = LARS([weight, bias], lr=0.5, weight_decay=0.0)
    weight.grad, bias.grad = 1e5 * torch.randn_like(weight), torch.randn_like(bias)
    optimizer.step()
    moved = (weight.detach() - before[0]).norm()
    assert moved.item() == pytest.approx(0.5 * 1e-3 * before[0].norm().item())
    assert torch.allclose(bias.detach(), before[1] - 0.5 * bias.grad)


def test_lars_gathers_momentum_and_leaves_what_has_no_gradient():
    vector, idle = torch.zeros(2, requires_grad=True), torch.ones(2, requires_grad=True)
    optimizer = LARS([vector, idle], lr=1.0)
    for _ in range(2):
        vector.grad = torch.ones(2)
        optimizer.step()
    assert torch.allclose(vector.detach(), torch.full((2,), -(1 + 1.9)))
    assert torch.equal(idle.detach(), torch.ones(2))


def test_lars_takes_the_gradient_as_it_is_where_weights_are_zero():
    weight = torch.zeros(2, 2, requires_grad=True)
    weight.grad = torch.ones(2, 2)
    LARS([weight], lr=1.0).step()
    assert torch.equal(weight.detach(), -torch.ones(2, 2))
