"""Distances between feature distributions: MMD and CORAL."""

from collections.abc import Sequence

from torch import Tensor

GAMMAS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """D_ij = |a_i|² + |b_j|² - 2 a_i·b_j, at least 1e-30:  (n, F), (m, F) -> (n, m)."""
    return (a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * (a @ b.T)).clamp_min(1e-30)


def gaussian_mmd(a: Tensor, b: Tensor, gammas: Sequence[float] = GAMMAS) -> Tensor:
    """Squared maximum mean discrepancy of (n, F) and (m, F), as a V-statistic:

    mean K(a, a) + mean K(b, b) - 2 mean K(a, b),  K(x, y) = Σ_γ exp(-γ |x - y|²).

    Source: A. Gretton et al., A Kernel Two-Sample Test, JMLR 13, 2012, eq. 5.
    """

    def mean_kernel(x: Tensor, y: Tensor) -> Tensor:
        distances = squared_distances(x, y)
        kernel = (-gammas[0] * distances).exp()
        for gamma in gammas[1:]:
            kernel = kernel + (-gamma * distances).exp()
        return kernel.mean()

    return mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)


def coral_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of the means plus that of the covariances of (n, F) and (m, F).

    Source: B. Sun and K. Saenko, Deep CORAL, 2016, arXiv:1607.01719 (there without the means).
    """
    mean_a, mean_b = a.mean(0), b.mean(0)
    covariance_a = (a - mean_a).T @ (a - mean_a) / (len(a) - 1)
    covariance_b = (b - mean_b).T @ (b - mean_b) / (len(b) - 1)
    return (mean_a - mean_b).square().mean() + (covariance_a - covariance_b).square().mean()
