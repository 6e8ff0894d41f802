"""One-dimensional density estimates and their quantiles.

Source: C. Eastwood et al., Probable Domain Generalization via Quantile Risk Minimization, 2022, arXiv:2207.09944.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from domainbed.errors import InputError, UnknownName

EPS = 1e-16


class Kernel(nn.Module):
    """A mixture of densities of bandwidth `bw` (0.05 if None): forward is its density, `cdf` its integral."""

    def __init__(self, bw: float | Tensor | None = None):
        super().__init__()
        self.bw = 0.05 if bw is None else bw

    def cdf(self, x: Tensor, centres: Tensor) -> Tensor:
        """P(X <= x) of the mixture over centres (n,), for x of any shape."""
        raise NotImplementedError


class GaussianKernel(Kernel):
    """A mixture of normal densities."""

    def forward(self, x: Tensor, centres: Tensor) -> Tensor:
        z = (x.unsqueeze(-1) - centres) / self.bw
        return ((-0.5 * z.square()).exp() / (self.bw * math.sqrt(2 * math.pi))).mean(-1)

    def cdf(self, x: Tensor, centres: Tensor) -> Tensor:
        return torch.special.ndtr((x.unsqueeze(-1) - centres) / self.bw).mean(-1)


def estimate_bandwidth(x: Tensor, method: str = "silverman") -> Tensor:
    """Kernel bandwidth for points x (n,), 0 for a single point. Methods: silverman, Gauss-optimal.

    Source: B. W. Silverman, Density Estimation, 1986, eq. 3.28 and 3.31.

    Raises:
        InputError: (a ValueError) another method.
    """
    std = x.std() if len(x) > 1 else torch.zeros_like(x[0])
    if method.lower() == "gauss-optimal":
        return 1.06 * std * len(x) ** -0.2
    if method.lower() == "silverman":
        iqr = x.quantile(0.75) - x.quantile(0.25)
        return 0.9 * torch.minimum(std, iqr / 1.34) * len(x) ** -0.2
    raise InputError(f"no bandwidth rule called {method} (known: silverman, Gauss-optimal)")


class KernelDensityEstimator(nn.Module):
    """Kernel density estimate from points train_Xs (n,): forward(x) is the density, cdf(x) its integral.

    Args:
        bw_select: a method of `estimate_bandwidth`.

    Raises:
        UnknownName: (a NotImplementedError) a kernel other than gaussian.
    """

    def __init__(self, train_Xs: Tensor, kernel: str = "gaussian", bw_select: str = "Gauss-optimal"):
        super().__init__()
        if kernel != "gaussian":
            raise UnknownName(f"no kernel called {kernel} (known: gaussian)")
        self.train_Xs = train_Xs
        self.bw = estimate_bandwidth(train_Xs, bw_select)
        self.kernel = GaussianKernel(self.bw)

    def forward(self, x: Tensor) -> Tensor:
        return self.kernel(x, self.train_Xs)

    def cdf(self, x: Tensor) -> Tensor:
        """P(X <= x), for x of any shape."""
        return self.kernel.cdf(x, self.train_Xs)


def continuous_bisect_fun_left(
    f: Callable[[Tensor], Tensor], v: Tensor, lo: Tensor, hi: Tensor, n_steps: int = 32
) -> Tensor:
    """The x in [lo, hi] at which the increasing function f reaches v, by at most `n_steps` bisections.

    The result is a mean of lo and hi whose weights are constants, and differentiable as such.
    """
    middle = (lo + hi) / 2
    for _ in range(n_steps):
        with torch.no_grad():
            above = bool(f(middle) > v)
        lo, hi = (lo, middle) if above else (middle, hi)
        previous, middle = middle, (lo + hi) / 2
        if middle == previous:
            break
    return middle


class Distribution1D:
    """Interface of a distribution over the real line that is fitted to data."""

    def estimate_parameters(self, x: Tensor) -> None:
        """Fit the distribution to points x (n,)."""
        raise NotImplementedError

    def icdf(self, q: Tensor) -> Tensor:
        """The q-quantile, q a 0-d tensor in (0, 1); a negative q is the logarithm of the mass above the quantile."""
        raise NotImplementedError


class Normal(Distribution1D):
    """The normal distribution; far in the tail its quantiles are μ + σ √(-2 log mass)."""

    def __init__(self, location: float | Tensor = 0.0, scale: float | Tensor = 1.0):
        self.location = location
        self.scale = scale

    def estimate_parameters(self, x: Tensor) -> None:
        self.location = x.mean()
        self.scale = (x.var() + EPS).sqrt()

    def icdf(self, q: Tensor) -> Tensor:
        return self.location + self.scale * (torch.special.ndtri(q) if q >= 0 else (-2 * q).sqrt())


class Nonparametric(Distribution1D):
    """A kernel density estimate, or (without `use_kde`) the empirical distribution."""

    def __init__(self, use_kde: bool = True, bw_select: str = "Gauss-optimal"):
        self.use_kde = use_kde
        self.bw_select = bw_select

    def estimate_parameters(self, x: Tensor) -> None:
        self.data = x.sort().values
        if self.use_kde:
            self.kde = KernelDensityEstimator(self.data, bw_select=self.bw_select)

    def icdf(self, q: Tensor) -> Tensor:
        if not self.use_kde:
            return self.data.quantile(q.to(self.data))
        if q < 0:
            return (self.data + self.kde.bw * (-2 * q).sqrt()).mean()
        if self.kde.bw == 0:
            return self.data.mean()
        lo, hi = (Normal(point, self.kde.bw).icdf(q) for point in (self.data[0], self.data[-1]))
        return continuous_bisect_fun_left(self.kde.cdf, q, lo, hi)
