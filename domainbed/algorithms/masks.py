"""ANDMask and SANDMask: gradients masked by sign agreement between domains."""

from typing import Any

import torch
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.gradients import domain_gradients, trainable
from domainbed.algorithms.minibatches import mean
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Between, LogUniform, Uniform


def agreement(gradients: Tensor) -> Tensor:
    """|mean_d sign g_d| in [0, 1], of gradients (D, ...) -> (...)."""
    return gradients.sign().mean(dim=0).abs()


def and_mask(gradients: Tensor, tau: float) -> Tensor:
    """1 where the signs of the gradients (D, ...) agree to at least tau, else 0."""
    return (agreement(gradients) >= tau).to(gradients.dtype)


def sand_mask(gradients: Tensor, tau: float, k: float) -> Tensor:
    """max(0, tanh(k (agreement - tau) / var_d g_d)), with 1e-17 for what is undefined, of gradients (D, ...)."""
    deviations = gradients - gradients.mean(dim=0)
    variance = (deviations.square().sum(dim=0) / (len(gradients) - 1)).nan_to_num(nan=1e-17)
    mask = (k * (1 / variance) * (agreement(gradients) - tau)).tanh().relu()
    return mask.nan_to_num(nan=1e-17)


@register
class ANDMask(ERM):
    """Gradient descent restricted to coordinates in which the signs of the domains' gradients agree:

    step along  m ⊙ mean_d g_d / mean(m),   m = [|mean_d sign g_d| ≥ tau],  for each parameter tensor.

    Source: G. Parascandolo et al., Learning Explanations That Are Hard to Vary, 2020, arXiv:2009.00329.
    """

    HPARAMS = {"tau": (1, Uniform(0.5, 1, allowed=Between(0, 1)))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        risks, gradients = domain_gradients(self.network, minibatches)
        for parameter, of_domains in zip(trainable(self.network), gradients, strict=True):
            mask = self.mask(of_domains)
            parameter.grad = mask * of_domains.mean(dim=0) / (1e-10 + mask.mean())
        self.optimizer.step()
        return {"loss": mean(risks).item()}

    def mask(self, gradients: Tensor) -> Tensor:
        """m (...), of the domains' gradients (D, ...)."""
        return and_mask(gradients, self.hparams["tau"])


@register
class SANDMask(ANDMask):
    """AND-mask smoothed, and scaled by the variance of the domains' gradients:

    m = max(0, tanh(k (|mean_d sign g_d| - tau) / var_d g_d)).

    At the default tau = 1 this is 0 everywhere, and nothing is learned, as in DomainBed.

    Source: S. Shahtalebi et al., SAND-mask: An Enhanced Gradient Masking Strategy, 2021, arXiv:2106.02266.
    """

    HPARAMS = {"tau": (1.0, Uniform(0, 1, allowed=Between(0, 1))), "k": (1e1, LogUniform(-3, 5))}
    update_count: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros(1, dtype=torch.int64))

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        self.update_count += 1
        return super().update(minibatches, unlabeled)

    def mask(self, gradients: Tensor) -> Tensor:
        return sand_mask(gradients, self.hparams["tau"], self.hparams["k"])
