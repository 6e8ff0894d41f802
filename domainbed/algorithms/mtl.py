"""MTL: marginal transfer learning."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Between, Choice


@register
class MTL(Algorithm):
    """Classification conditioned on an embedding of the domain's marginal distribution:

    min Σ_d CE(c([f(x_d), e_d]), y_d),   e_d a moving average of mean f(x_d).

    As in DomainBed, whose published numbers this reproduces, standard normal noise stands in the place of e_d, in
    prediction too: the averages are computed but reach no output, and predictions vary with torch's generator.

    Source: G. Blanchard et al., Domain Generalization by Marginal Transfer Learning, JMLR 2021, arXiv:1711.07910.
    """

    HPARAMS = {"mtl_ema": (0.99, Choice(0.5, 0.9, 0.99, 1.0, allowed=Between(0, 1)))}
    EVALUATION_BATCH = 64  # the noise is drawn batch by batch
    embeddings: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.featurizer = networks.Featurizer(input_shape, hparams)
        features = self.featurizer.n_outputs
        self.classifier = networks.Classifier(2 * features, num_classes, hparams["nonlinear_classifier"])
        self.optimizer = self.adam(self.featurizer, self.classifier)
        self.register_buffer("embeddings", torch.zeros(num_domains, features))

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        losses = [F.cross_entropy(self(x, env), y) for env, (x, y) in enumerate(minibatches)]
        loss = torch.stack(losses).sum()
        self.step(loss)
        return {"loss": loss.item()}

    def forward(self, x: Tensor, env: int | None = None) -> Tensor:
        """Logits (n, K) of x; `env`, a training domain, takes the batch into that domain's average."""
        z = self.featurizer(x)
        if env is not None:
            self._remember(z.detach().mean(dim=0), env)
        return self.classifier(torch.cat([z, torch.randn_like(z)], dim=1))

    def _remember(self, mean: Tensor, env: int) -> None:
        ema = self.hparams["mtl_ema"]
        self.embeddings[env] = ema * mean + (1 - ema) * self.embeddings[env]

    def predict(self, x: Tensor, env: int | None = None) -> Tensor:
        return self(x, env)
