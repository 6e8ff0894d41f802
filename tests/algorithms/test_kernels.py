import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from domainbed.algorithms.kernels import GAMMAS, coral_distance, gaussian_mmd, squared_distances

DISTANCES = [gaussian_mmd, coral_distance]


def points(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_squared_distances_are_those_of_the_rows():
    a, b = points(5, 0), points(7, 1)
    torch.testing.assert_close(squared_distances(a, b), torch.cdist(a, b).square())


@pytest.mark.parametrize("distance", DISTANCES)
@given(n=st.integers(2, 9), m=st.integers(2, 9), seed=st.integers(0, 10**6))
def test_a_distance_between_sets_is_symmetric_and_not_negative(distance, n, m, seed):
    a, b = points(n, seed), points(m, seed + 1)
    assert distance(a, b) >= -1e-12
    torch.testing.assert_close(distance(a, b), distance(b, a))


@pytest.mark.parametrize("distance", DISTANCES)
def test_equal_sets_in_any_order_have_no_distance_and_no_gradient(distance):
    a, b = points(6, 0).requires_grad_(), points(6, 0).flip(0).requires_grad_()
    value = distance(a, b)
    value.backward()
    assert abs(value.item()) < 1e-12
    assert a.grad.abs().max() < 1e-12


def test_mmd_of_two_single_points():
    """At distance 1: K(a, a) = K(b, b) = 7 kernels of 1 and K(a, b) = Σ exp(-γ), hence 14 - 2 Σ exp(-γ)."""
    a, b = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    assert gaussian_mmd(a, b).item() == pytest.approx(14 - 2 * sum(math.exp(-gamma) for gamma in GAMMAS))


def test_coral_by_hand():
    """{0, 2} and {1, 5}: means 1 and 3, variances 2 and 8, hence (1-3)² + (2-8)² = 40."""
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]])
    assert coral_distance(a, b).item() == pytest.approx(40)
