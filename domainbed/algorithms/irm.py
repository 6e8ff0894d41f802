"""IRM: invariant risk minimisation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.minibatches import by_domain, domain_risks, mean, pool
from domainbed.algorithms.registry import register
from domainbed.algorithms.warmup import WarmedUp
from domainbed.hyperparameters import HparamSpace, LogUniform, LogUniformInt

IRM_HPARAMS: HparamSpace = {
    "irm_lambda": (1e2, LogUniform(-1, 5)),
    "irm_penalty_anneal_iters": (500, LogUniformInt(0, 4)),
}


def irm_penalty(logits: Tensor, y: Tensor) -> Tensor:
    """g_even · g_odd,  g = d/ds CE(s o, y) at s = 1 over every other sample of logits o (n, K), labels y (n,).

    An unbiased estimate of the squared gradient, since the halves are independent; NaN for n = 1.
    """
    scales = torch.ones(2, dtype=logits.dtype, device=logits.device, requires_grad=True)
    even = F.cross_entropy(logits[0::2] * scales[0], y[0::2])
    odd = F.cross_entropy(logits[1::2] * scales[1], y[1::2])
    (gradient,) = torch.autograd.grad(even + odd, scales, create_graph=True)
    return gradient.prod()


def mean_irm_penalty(logits: Tensor, minibatches: list[Minibatch]) -> Tensor:
    """Mean over domains of `irm_penalty`, from the pooled logits (N, K)."""
    return mean([irm_penalty(o, y) for o, (_, y) in zip(by_domain(logits, minibatches), minibatches, strict=True)])


@register
class IRM(WarmedUp):
    """Invariant risk minimisation: a classifier that is optimal in every domain simultaneously, by a gradient penalty:

    min mean_d R_d + λ mean_d |∇_s R_d(s · network)|² at s = 1,   λ = 1 until irm_penalty_anneal_iters, then irm_lambda.

    Source: M. Arjovsky et al., Invariant Risk Minimization, 2019, arXiv:1907.02893, eq. IRMv1.
    """

    HPARAMS = IRM_HPARAMS

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        threshold = self.hparams["irm_penalty_anneal_iters"]
        weight = self.hparams["irm_lambda"] if self.reached(threshold) else 1.0
        logits = self.predict(pool(minibatches)[0])
        nll = mean(domain_risks(logits, minibatches))
        penalty = mean_irm_penalty(logits, minibatches)
        loss = nll + weight * penalty
        self.warmup_step(loss, threshold)
        return {"loss": loss.item(), "nll": nll.item(), "penalty": penalty.item()}
