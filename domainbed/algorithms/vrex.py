"""VREx: variance risk extrapolation."""

import torch
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.minibatches import domain_risks, mean, pool
from domainbed.algorithms.registry import register
from domainbed.algorithms.warmup import WarmedUp
from domainbed.hyperparameters import LogUniform, LogUniformInt


@register
class VREx(WarmedUp):
    """ERM with a penalty on the variance of the domain risks:

    min mean_d R_d + β mean_d (R_d - mean R)²,   β = 1 until vrex_penalty_anneal_iters, then vrex_lambda.

    `nll` reports the last domain's risk, as DomainBed does.

    Source: D. Krueger et al., Out-of-Distribution Generalization via Risk Extrapolation, 2020, arXiv:2003.00688.
    """

    HPARAMS = {
        "vrex_lambda": (1e1, LogUniform(-1, 5)),
        "vrex_penalty_anneal_iters": (500, LogUniformInt(0, 4)),
    }

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        threshold = self.hparams["vrex_penalty_anneal_iters"]
        weight = self.hparams["vrex_lambda"] if self.reached(threshold) else 1.0
        risks = domain_risks(self.predict(pool(minibatches)[0]), minibatches)
        average = mean(risks)
        penalty = (torch.stack(risks) - average).square().mean()
        loss = average + weight * penalty
        self.warmup_step(loss, threshold)
        return {"loss": loss.item(), "nll": risks[-1].item(), "penalty": penalty.item()}
