"""SD: spectral decoupling, an L2 penalty on the logits."""

import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import LogUniform


@register
class SD(ERM):
    """ERM with an L2 penalty on the logits, against gradient starvation:

    min CE(o, Y) + sd_reg · mean o²,   o = network(X);   `loss` reports the first term alone.

    Source: M. Pezeshki et al., Gradient Starvation: A Learning Proclivity in Neural Networks, 2020, arXiv:2011.09468.
    """

    HPARAMS = {"sd_reg": (0.1, LogUniform(-5, -1))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        logits = self.predict(x)
        loss, penalty = F.cross_entropy(logits, y), logits.square().mean()
        self.step(loss + self.hparams["sd_reg"] * penalty)
        return {"loss": loss.item(), "penalty": penalty.item()}
