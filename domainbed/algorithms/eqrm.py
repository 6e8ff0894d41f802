"""EQRM: empirical quantile risk minimisation."""

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.density import Distribution1D, Nonparametric
from domainbed.algorithms.minibatches import mean
from domainbed.algorithms.registry import register
from domainbed.algorithms.warmup import WarmedUp
from domainbed.hyperparameters import Above, Between, LogUniform, Uniform


@register
class EQRM(WarmedUp):
    """Minimise the α-quantile of the distribution of domain risks:

    min F⁻¹(α),   F the distribution function of the domain risks R_1 .. R_D, α = eqrm_quantile.

    Until eqrm_burnin_iters the mean risk is minimised instead; then Adam starts anew at eqrm_lr.

    Args:
        dist: the distribution fitted to the risks; default a Gaussian kernel density estimate.

    Source: C. Eastwood et al., Probable Domain Generalization via Quantile Risk Minimization, 2022, arXiv:2207.09944.
    """

    HPARAMS = {
        "eqrm_quantile": (0.75, Uniform(0.5, 0.99, allowed=Between(-math.inf, 1, "()"))),
        "eqrm_burnin_iters": (2500, LogUniform(2.5, 3.5)),
        "eqrm_lr": (1e-6, LogUniform(-7, -5, allowed=Above(0))),
    }
    STATELESS = ("dist",)  # fitted anew in every update
    alpha: Tensor

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        num_domains: int,
        hparams: dict[str, Any],
        dist: Distribution1D | None = None,
    ):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("alpha", torch.tensor(hparams["eqrm_quantile"], dtype=torch.float64))
        self.dist = Nonparametric() if dist is None else dist

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        burn_in = math.ceil(self.hparams["eqrm_burnin_iters"])
        risks = [F.cross_entropy(self.predict(x), y) for x, y in minibatches]
        loss = self.quantile(torch.stack(risks)) if self.reached(burn_in) else mean(risks)
        self.warmup_step(loss, burn_in, lr=self.hparams["eqrm_lr"])
        return {"loss": loss.item()}

    def quantile(self, risks: Tensor) -> Tensor:
        """The α-quantile of the distribution fitted to risks (D,)."""
        # A copy: the fit refers to the graph of this update, which must not outlive it.
        dist = copy.copy(self.dist)
        dist.estimate_parameters(risks)
        return dist.icdf(self.alpha)
