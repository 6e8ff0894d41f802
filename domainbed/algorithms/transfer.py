"""Transfer: transferability as worst-case gap between domain risks near the classifier."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Above, AtLeast, Between, Choice, Constant, LogUniform, Uniform
from domainbed.networks.base import repeatable


def distance(h1: nn.Module, h2: nn.Module) -> Tensor:
    """Euclidean distance between the weights of two networks of one architecture."""
    states = zip(h1.state_dict().values(), h2.state_dict().values(), strict=True)
    return torch.stack([(a - b).square().sum() for a, b in states]).sum().sqrt()


@torch.no_grad()
def proj(delta: float, adv_h: nn.Module, h: nn.Module) -> nn.Module:
    """Euclidean projection of adv_h, in place, onto the ball of radius `delta` around h."""
    length = distance(adv_h, h)
    if length > delta:
        for weights, centre in zip(adv_h.state_dict().values(), h.state_dict().values(), strict=True):
            weights.copy_(centre + (delta / length) * (weights - centre))
    return adv_h


@register
class Transfer(Algorithm):
    """Minimise the risk and the largest gap between domain risks under classifiers h near c:

    min over f, c of CE(c(f(X)), Y)   and   min over f  max over h, ‖h - c‖ ≤ delta, of  t_lambda · gap(f, h),
    gap = max_d ℓ_d - min_d ℓ_d,   ℓ_d = CE(h(f(x_d)), y_d).

    One update: a step of f and c on the risk, one of f on the gap, then h starts from c for d_steps_per_g steps of
    projected ascent.

    Source: G. Zhang et al., Quantifying and Improving Transferability, NeurIPS 2021, arXiv:2106.03632.
    """

    HPARAMS = {
        "t_lambda": (1.0, LogUniform(-2, 1)),
        "delta": (2.0, Uniform(0.1, 3)),
        "d_steps_per_g": (10, Choice(1, 2, 5, allowed=AtLeast(1))),
        "weight_decay_d": (0.0, LogUniform(-6, -2)),
        "gda": (False, Constant(True)),
        "beta1": (0.5, Choice(0.0, 0.5, allowed=Between(0, 1, "[)"))),
        "lr_d": (1e-3, LogUniform(-4.5, -2.5, allowed=Above(0))),
    }

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros(1, dtype=torch.int64))
        self.featurizer = networks.Featurizer(input_shape, hparams)
        features = self.featurizer.n_outputs
        self.classifier = networks.Classifier(features, num_classes, hparams["nonlinear_classifier"])
        self.adv_classifier = copy.deepcopy(self.classifier)
        if hparams["gda"]:
            learners = [*self.featurizer.parameters(), *self.classifier.parameters()]
            self.optimizer = torch.optim.SGD(learners, lr=hparams["lr"])
        else:
            self.optimizer = self.adam(self.featurizer, self.classifier)
        self.adv_opt = torch.optim.SGD(self.adv_classifier.parameters(), lr=hparams["lr_d"])

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        loss = F.cross_entropy(self.predict(x), y)
        self.step(loss)
        self.step(self.weighted_gap([self.featurizer(x) for x, _ in minibatches], minibatches))
        gap = self.strengthen(minibatches)
        return {"loss": loss.item(), "gap": gap.item()}

    def weighted_gap(self, features: list[Tensor], minibatches: list[Minibatch]) -> Tensor:
        """t_lambda times the largest difference between the domains' risks under the adversarial classifier."""
        risks = [F.cross_entropy(self.adv_classifier(z), y) for z, (_, y) in zip(features, minibatches, strict=True)]
        values = torch.stack(risks).detach()
        return self.hparams["t_lambda"] * (risks[int(values.argmax())] - risks[int(values.argmin())])

    def strengthen(self, minibatches: list[Minibatch]) -> Tensor:
        """Projected gradient ascent of the gap in the adversarial classifier; the weighted gap before the last step."""
        self.adv_classifier.load_state_dict(self.classifier.state_dict())
        features = self._constant_features(minibatches)
        for iteration in range(self.hparams["d_steps_per_g"]):
            if iteration and not repeatable(self.featurizer):
                features = self._constant_features(minibatches)
            gap = self.weighted_gap(features, minibatches)
            self.step(-gap, self.adv_opt)
            proj(self.hparams["delta"], self.adv_classifier, self.classifier)
        return gap

    @torch.no_grad()
    def _constant_features(self, minibatches: list[Minibatch]) -> list[Tensor]:
        return [self.featurizer(x) for x, _ in minibatches]

    def predict(self, x: Tensor) -> Tensor:
        return self.classifier(self.featurizer(x))
