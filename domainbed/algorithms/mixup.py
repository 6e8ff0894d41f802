"""Mixup between samples of two domains."""

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.minibatches import mean
from domainbed.algorithms.pairing import random_pairs_of_minibatches
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Above, LogUniform


@register
class Mixup(ERM):
    """Interdomain mixup: the risk on convex combinations of two domains' images and labels:

    min mean over pairs (i, j) of  λ CE(o, y_i) + (1-λ) CE(o, y_j),   o = network(λ x_i + (1-λ) x_j),
    λ ~ Beta(mixup_alpha, mixup_alpha).

    Source: S. Yan et al., Improve Unsupervised Domain Adaptation with Mixup Training, 2020, arXiv:2001.00677;
    M. Xu et al., Adversarial Domain Adaptation with Domain Mixup, 2019, arXiv:1912.01805.
    """

    HPARAMS = {"mixup_alpha": (0.2, LogUniform(-1, 1, allowed=Above(0)))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        alpha = self.hparams["mixup_alpha"]
        risks = []
        for first, second in random_pairs_of_minibatches(minibatches):
            risks.append(self.mixed_risk(first, second, np.random.beta(alpha, alpha)))
        loss = mean(risks)
        self.step(loss)
        return {"loss": loss.item()}

    def mixed_risk(self, first: Minibatch, second: Minibatch, share: float) -> Tensor:
        """The risk on share · first + (1 - share) · second, two minibatches of equal length."""
        (x_i, y_i), (x_j, y_j) = first, second
        logits = self.predict(share * x_i + (1 - share) * x_j)
        return share * F.cross_entropy(logits, y_i) + (1 - share) * F.cross_entropy(logits, y_j)
