"""IGA: inter-environmental gradient alignment."""

import torch
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.gradients import domain_gradients
from domainbed.algorithms.minibatches import mean
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import LogUniform


@register
class IGA(ERM):
    """ERM with a penalty on the variance of the domains' gradients:

    min mean_d R_d + penalty · Σ_d |g_d - ḡ|²,   g_d = ∇_θ R_d,   ḡ = mean_d g_d.

    Source: M. Koyama and S. Yamaguchi, When Is Invariance Useful in an Out-of-Distribution Generalization Problem?,
    2020, arXiv:2008.01883.
    """

    HPARAMS = {"penalty": (1000, LogUniform(1, 5))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        risks, gradients = domain_gradients(self.network, minibatches, create_graph=True)
        loss = mean(risks)
        # The mean may be a constant: the derivative through it is zero, as Σ_d (g_d - ḡ) = 0.
        penalty = torch.stack([(g - g.detach().mean(dim=0)).square().sum() for g in gradients]).sum()
        self.step(loss + self.hparams["penalty"] * penalty)
        return {"loss": loss.item(), "penalty": penalty.item()}
