"""CAD and CondCAD: contrastive adversarial domain bottlenecks."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.minibatches import domain_labels, pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Above, Choice, Constant

BASE_TEMPERATURE = 0.07


def log_share(similarity: Tensor, part: Tensor, whole: Tensor) -> Tensor:
    """log (Σ_{j in part_i} exp S_ij / Σ_{j in whole_i} exp S_ij) of similarities S (n, N) and masks (n, N): (n,)."""
    inside, total = (similarity.masked_fill(~mask, -torch.inf).logsumexp(dim=1) for mask in (part, whole))
    return inside - total


@register
class CAD(Algorithm):
    """Classification with a contrastive bottleneck that removes domain information from the features:

    min CE(c(z), Y) + lmbda · mean_i b_i,   b_i = -(T/0.07) log Σ_{j: d_j ≠ d_i} exp S_ij / Σ_{k ≠ i} exp S_ik,

    z = f(X), S_ij = z_i·z_j / T for i ≠ j and S_ii = 0, i over the samples that have another of their class. Not
    flipped, b_i = +(T/0.07) log of the share of j with d_j = d_i, i included. `is_project` takes S from project(z),
    `is_normalized` from vectors of unit length.

    Source: Y. Ruan, Y. Dubois, C. Maddison, Optimal Representations for Covariate Shift, ICLR 2022, arXiv:2201.00057.
    """

    HPARAMS = {
        "lmbda": (1e-1, Choice(1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2)),
        "temperature": (0.1, Choice(0.05, 0.1, allowed=Above(0))),
        "is_normalized": (False, Constant(False)),
        "is_project": (False, Constant(False)),
        "is_flipped": (True, Constant(True)),
    }

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.featurizer = networks.Featurizer(input_shape, hparams)
        features = self.featurizer.n_outputs
        self.classifier = networks.Classifier(features, num_classes, hparams["nonlinear_classifier"])
        if hparams["is_project"]:
            self.project = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, 128))
        self.optimizer = self.adam(self)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        z = self.featurizer(x)
        bn_loss = self.bottleneck(z, y, domain_labels(minibatches))
        clf_loss = F.cross_entropy(self.classifier(z), y)
        loss = clf_loss + self.hparams["lmbda"] * bn_loss
        self.step(loss)
        return {"clf_loss": clf_loss.item(), "bn_loss": bn_loss.item(), "total_loss": loss.item()}

    def bottleneck(self, z: Tensor, y: Tensor, domains: Tensor) -> Tensor:
        """mean_i b_i of features z (N, F), labels (N,) and domain labels (N,); 0 where no sample has a b_i."""
        if self.hparams["is_project"]:
            z = self.project(z)
        if self.hparams["is_normalized"]:
            z = F.normalize(z, dim=1)
        other = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
        similarity = z @ z.T / self.hparams["temperature"] * other
        same_domain, same_label = domains[:, None] == domains, (y[:, None] == y) & other
        part, whole = self.contrasts(~same_domain if self.hparams["is_flipped"] else same_domain, same_label, other)
        rows = same_label.any(dim=1) & part.any(dim=1)
        if not rows.any():
            return z.new_zeros(())
        sign = -1 if self.hparams["is_flipped"] else 1
        scale = sign * self.hparams["temperature"] / BASE_TEMPERATURE
        return scale * log_share(similarity[rows], part[rows], whole[rows]).mean()

    def contrasts(self, by_domain: Tensor, same_label: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Masks (N, N) of the pairs in the numerator and in the denominator of b; `by_domain` is that of the former."""
        return by_domain, other

    def predict(self, x: Tensor) -> Tensor:
        return self.classifier(self.featurizer(x))


@register
class CondCAD(CAD):
    """CAD within each class: numerator and denominator of b_i run over the other samples of i's class alone.

    Source: Y. Ruan, Y. Dubois, C. Maddison, Optimal Representations for Covariate Shift, ICLR 2022, arXiv:2201.00057.
    """

    def contrasts(self, by_domain: Tensor, same_label: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        return by_domain & same_label, same_label
