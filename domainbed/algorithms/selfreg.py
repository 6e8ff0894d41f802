"""SelfReg: self-supervised contrastive regularisation."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register


def same_class_partners(sorted_labels: Tensor) -> Tensor:
    """Indices (2, N) of two random samples of each sample's class, itself included, for ascending labels (N,).

    Two permutations are drawn for each class, in order of the classes.
    """
    _, counts = sorted_labels.unique_consecutive(return_counts=True)
    blocks = torch.arange(len(sorted_labels)).split(counts.tolist())
    partners = [torch.stack([block[torch.randperm(len(block))] for _ in range(2)]) for block in blocks]
    return torch.cat(partners, dim=1).to(sorted_labels.device)


def contrast(source: Tensor, target: Tensor, partners: Tensor, mixture: float) -> Tensor:
    """Weighted MSE (scalar) of source (N, F) to the first partners' targets and to both partners' mixed."""
    first, second = target[partners[0]], target[partners[1]]
    mixed = mixture * first + (1 - mixture) * second
    return mixture * F.mse_loss(source, first) + (1 - mixture) * F.mse_loss(source, mixed)


@register
class SelfReg(ERM):
    """Contrastive regularisation by positive pairs alone, of features and of logits:

    min CE(o, Y) + s · [λ (MSE(o, o₂) + 0.3 MSE(z, p₂)) + (1 - λ) (MSE(o, o₃) + 0.3 MSE(z, p₃))],

    z = f(X), o = c(z), p = projection(z); subscript 2: those of a random sample of the same class; subscript 3: a
    mixture of two, λ first + (1 - λ) second; λ ~ Beta(1/2, 1/2); s = min(CE, 1) as a constant.

    As in DomainBed, whose published numbers this reproduces, the projection `cdpl` keeps its initial weights.

    Source: D. Kim et al., SelfReg: Self-Supervised Contrastive Regularization, ICCV 2021, arXiv:2104.09841.
    """

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        features = self.featurizer.n_outputs
        hidden = features if features == 2048 else 2 * features
        self.cdpl = nn.Sequential(
            nn.Linear(features, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, features),
            nn.BatchNorm1d(features),
        ).requires_grad_(False)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        mixture = np.random.beta(0.5, 0.5)
        # The default sort is not stable, and which samples become partners depends on where it puts equal labels.
        y, order = y.sort()
        z = self.featurizer(x[order])
        logits, projected = self.classifier(z), self.cdpl(z)
        partners = same_class_partners(y)

        pull = contrast(logits, logits, partners, mixture) + 0.3 * contrast(z, projected, partners, mixture)
        risk = F.cross_entropy(logits, y)
        loss = risk + risk.detach().clamp(max=1) * pull
        self.step(loss)
        return {"loss": loss.item()}
