"""Empirical risk minimisation, the base class of most algorithms."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register


@register
class ERM(Algorithm):
    """Empirical risk minimisation over the pooled samples of all training domains:

    min over θ of  CE(c(f(X)), Y),  X and Y the concatenation of the domains' minibatches.

    Source: V. Vapnik, Statistical Learning Theory, 1998.
    """

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.featurizer = networks.Featurizer(input_shape, hparams)
        self.classifier = networks.Classifier(self.featurizer.n_outputs, num_classes, hparams["nonlinear_classifier"])
        self.network = nn.Sequential(self.featurizer, self.classifier)
        self.optimizer = self.adam(self.network)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        loss = F.cross_entropy(self.predict(x), y)
        self.step(loss)
        return {"loss": loss.item()}

    def predict(self, x: Tensor) -> Tensor:
        return self.network(x)
