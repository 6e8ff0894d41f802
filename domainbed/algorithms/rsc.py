"""RSC: representation self-challenging."""

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Between, Uniform


def top_threshold(values: Tensor, share: float) -> Tensor:
    """The (1 - share)-quantile of values (..., n) along the last axis, linearly interpolated: (..., 1)."""
    # Computed in the values' precision: a level rounded otherwise lands on the other side of an order statistic.
    level = torch.tensor((1 - share) * 100, dtype=values.dtype, device=values.device) / 100
    return values.quantile(level, dim=-1, keepdim=True)


@register
class RSC(ERM):
    """Classification with the features of largest gradient masked, for the samples whose confidence falls most by it:

    min CE(c(z ⊙ m), Y),   z = f(X),   m_ij = [G_ij < t_i or Δ_i < τ],

    G = ∂/∂z Σ_i c(z)_{i, y_i},   t_i the value that the share rsc_f_drop_factor of row i reaches,
    Δ_i = loss of confidence in y_i when [G < t] masks features,   τ that which rsc_b_drop_factor of the samples reach.

    Source: Z. Huang et al., Self-Challenging Improves Cross-Domain Generalization, ECCV 2020, arXiv:2007.02454.
    """

    HPARAMS = {
        "rsc_f_drop_factor": (1 / 3, Uniform(0, 0.5, allowed=Between(0, 1))),
        "rsc_b_drop_factor": (1 / 3, Uniform(0, 0.5, allowed=Between(0, 1))),
    }

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        z = self.featurizer(x)
        loss = F.cross_entropy(self.classifier(z * self.mask(z.detach(), y)), y)
        self.step(loss)
        return {"loss": loss.item()}

    def mask(self, z: Tensor, y: Tensor) -> Tensor:
        """m (N, F), false where the feature is masked, for features z (N, F) and labels y (N,)."""
        logits = self.classifier(z.requires_grad_())
        (gradient,) = torch.autograd.grad(logits.gather(1, y[:, None]).sum(), z)
        with torch.no_grad():
            unmasked = gradient < top_threshold(gradient, self.hparams["rsc_f_drop_factor"])
            masked_logits = self.classifier(z * unmasked)
            change = (logits.softmax(dim=1) - masked_logits.softmax(dim=1)).gather(1, y[:, None])
            steady = change < top_threshold(change[:, 0], self.hparams["rsc_b_drop_factor"])
        return unmasked | steady
