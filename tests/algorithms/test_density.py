import math
from statistics import NormalDist

import pytest
import torch

from domainbed.algorithms.density import (
    Kernel,
    KernelDensityEstimator,
    Nonparametric,
    Normal,
    continuous_bisect_fun_left,
    estimate_bandwidth,
)

POINTS = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)


def fitted(distribution, points=POINTS):
    distribution.estimate_parameters(points)
    return distribution


def test_bandwidths_by_hand():
    """{1, 2, 4}: variance 7/3, quartiles 1.5 and 3, and sqrt(7/3) = 1.53 > 1.5/1.34."""
    assert estimate_bandwidth(POINTS, "GAUSS-optimal").item() == pytest.approx(1.06 * math.sqrt(7 / 3) * 3**-0.2)
    assert estimate_bandwidth(POINTS, "silverman").item() == pytest.approx(0.9 * 1.5 / 1.34 * 3**-0.2)
    with pytest.raises(ValueError, match="known: silverman"):
        estimate_bandwidth(POINTS, "scott")


def test_the_estimate_is_the_mean_of_normals_around_the_points():
    estimate = KernelDensityEstimator(POINTS)
    width = estimate_bandwidth(POINTS, "Gauss-optimal").item()
    at = torch.tensor([0.5, 3.0], dtype=torch.float64)
    for x, density, mass in zip(at.tolist(), estimate(at).tolist(), estimate.cdf(at).tolist(), strict=True):
        normals = [NormalDist(centre, width) for centre in POINTS.tolist()]
        assert density == pytest.approx(sum(normal.pdf(x) for normal in normals) / 3)
        assert mass == pytest.approx(sum(normal.cdf(x) for normal in normals) / 3)


def test_other_kernels_are_refused_and_the_default_width_is_a_twentieth():
    with pytest.raises(NotImplementedError, match="known: gaussian"):
        KernelDensityEstimator(POINTS, kernel="box")
    assert Kernel().bw == 0.05


@pytest.mark.parametrize("q", [0.1, 0.5, 0.75, 0.99])
def test_the_quantile_inverts_the_distribution_function(q):
    distribution = fitted(Nonparametric())
    assert distribution.kde.cdf(distribution.icdf(torch.tensor(q))).item() == pytest.approx(q, abs=1e-6)


def test_the_median_of_symmetric_points_is_their_centre():
    points = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    assert fitted(Nonparametric(), points).icdf(torch.tensor(0.5)).item() == pytest.approx(2)


@pytest.mark.parametrize("points", [[1.5], [1.5, 1.5, 1.5]])
def test_points_that_coincide_are_all_their_quantiles(points):
    points = torch.tensor(points, requires_grad=True)
    quantile = fitted(Nonparametric(), points).icdf(torch.tensor(0.75))
    quantile.backward()
    assert quantile.item() == pytest.approx(1.5)
    assert points.grad.sum().item() == pytest.approx(1)


def test_negative_arguments_are_log_tail_masses():
    log_mass = torch.tensor(-200.0, dtype=torch.float64)
    width = estimate_bandwidth(POINTS, "Gauss-optimal").item()
    assert fitted(Nonparametric()).icdf(log_mass).item() == pytest.approx(7 / 3 + 20 * width)
    assert Normal(1.0, 3.0).icdf(log_mass).item() == pytest.approx(1 + 3 * 20)


def test_without_a_kernel_quantiles_are_interpolated():
    assert fitted(Nonparametric(use_kde=False)).icdf(torch.tensor(0.75)).item() == pytest.approx(3)


def test_normal_quantiles():
    assert fitted(Normal()).icdf(torch.tensor(0.9)).item() == pytest.approx(
        NormalDist(7 / 3, math.sqrt(7 / 3)).inv_cdf(0.9), rel=1e-6
    )


def test_bisection_finds_the_root_and_passes_gradients_to_the_ends_alone():
    """x² = 2 between 1 and 2, at w = sqrt(2) - 1 of the way: the gradients are 1 - w and w."""
    lo = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    hi = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    root = continuous_bisect_fun_left(lambda x: x**2, torch.tensor(2.0), lo, hi)
    root.backward()
    assert root.item() == pytest.approx(math.sqrt(2), abs=1e-8)
    assert (lo.grad.item(), hi.grad.item()) == pytest.approx((2 - math.sqrt(2), math.sqrt(2) - 1), abs=1e-8)
