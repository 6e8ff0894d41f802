"""Fishr: domain-invariant gradient variances."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from domainbed.algorithms.averages import MovingAverage
from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.minibatches import by_domain, pool
from domainbed.algorithms.registry import register
from domainbed.algorithms.warmup import WarmedUp
from domainbed.hyperparameters import Between, LogUniform, Uniform, UniformInt


def per_sample_gradients(classifier: nn.Module, features: Tensor, y: Tensor) -> Tensor:
    """∇_ω CE(c_ω(z_i), y_i) for each sample of features z (N, F), labels y (N,): (N, parameters), differentiable."""

    def risk(parameters: dict[str, Tensor], z: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(classifier, parameters, (z,)), label)

    parameters: dict[str, Tensor] = dict(classifier.named_parameters())
    gradients = vmap(grad(risk), in_dims=(None, 0, 0))(parameters, features, y)
    return torch.cat([of_samples.flatten(1) for of_samples in gradients.values()], dim=1)


@register
class Fishr(WarmedUp):
    """Match the domain-level variances of the classifier's per-sample gradients:

    min CE(c(z), Y) + λ mean_d mean_j (v_d - v̄)²_j,   v_d = var_i ∇_ω CE(c_ω(z_i), y_i) over the samples i of domain d,

    z = f(X), v̄ = mean_d v_d, v_d averaged over updates with weight `ema` for the past;
    λ = 0 until penalty_anneal_iters, then hparams["lambda"].

    Source: A. Rame et al., Fishr: Invariant Gradient Variances for Out-of-Distribution Generalization, 2021,
    arXiv:2109.02934.
    """

    HPARAMS = {
        "lambda": (1000.0, LogUniform(1, 4)),
        "penalty_anneal_iters": (1500, UniformInt(0, 5000)),
        "ema": (0.95, Uniform(0.9, 0.99, allowed=Between(0, 1, "[)"))),
    }

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.variances = MovingAverage(hparams["ema"])

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        threshold = self.hparams["penalty_anneal_iters"]
        weight = self.hparams["lambda"] if self.reached(threshold) else 0.0
        x, y = pool(minibatches)
        z = self.featurizer(x)
        nll = F.cross_entropy(self.classifier(z), y)
        penalty = self.penalty(by_domain(per_sample_gradients(self.classifier, z, y), minibatches))
        loss = nll + weight * penalty
        self.warmup_step(loss, *([threshold] if threshold else []))
        return {"loss": loss.item(), "nll": nll.item(), "penalty": penalty.item()}

    def penalty(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Variance over domains of the averaged gradient variances, from per-sample gradients (n_d, parameters)."""
        variances = torch.stack([of_samples.var(dim=0, correction=0) for of_samples in gradients])
        averaged = self.variances.update({"variance": variances})["variance"].view_as(variances)
        return (averaged - averaged.mean(dim=0)).square().mean()
