"""Sharpness-aware training: SAM, GSAM and SAGM. They need of the testbed its ERM alone, DomainBed's own included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed_gga.similarity import inner
from domainbed_gga.testbed import ERM, Choice, Constant, HparamSpace, Minibatch

RHO, EPS = 0.05, 1e-12  # of GSAM and SAGM; their papers' schedules of both ρ and the learning rate are constant here


def norm(a: list[Tensor]) -> Tensor:
    """‖a‖, all tensors read as one vector."""
    return torch.stack([u.norm() for u in a]).norm()


@contextmanager
def perturbed(parameters: list[Tensor], gradients: list[Tensor], length: Tensor) -> Iterator[None]:
    """The parameters moved by length · gradients, and back exactly where they were afterwards."""
    before = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for p, g in zip(parameters, gradients, strict=True):
            p.add_(length * g)
    try:
        yield
    finally:
        with torch.no_grad():
            for p, old in zip(parameters, before, strict=True):
                p.copy_(old)


@contextmanager
def frozen_running_statistics(network: nn.Module) -> Iterator[None]:
    """BatchNorm in training mode, but with running statistics that do not move."""
    layers = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


class _SharpnessAware(ERM):
    """ERM whose steps follow a combination of the gradients at the weights and at a point near them."""

    HPARAMS: ClassVar[HparamSpace] = {}

    def risk(self, minibatches: list[Minibatch]) -> tuple[float, list[Tensor], list[Tensor]]:
        """CE over all samples, its gradients, and the parameters that they belong to."""
        x = torch.cat([x for x, _ in minibatches])
        y = torch.cat([y for _, y in minibatches])
        loss = F.cross_entropy(self.network(x), y)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(loss, trained, allow_unused=True)
        used = [(g, p) for g, p in zip(gradients, trained, strict=True) if g is not None]
        return loss.item(), [g for g, _ in used], [p for _, p in used]

    def descend(self, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        """One step of the optimizer with these gradients."""
        self.optimizer.zero_grad()
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g
        self.optimizer.step()


class SAM(_SharpnessAware):
    """Minimise the risk at the worst point near the weights instead of at the weights:

    w <- optimizer step with ∇CE(w + e),   e = ρ g / ‖g‖,   g = ∇CE(w).

    Returns the loss at w + e.

    Source: P. Foret et al., Sharpness-Aware Minimization, ICLR 2021, arXiv:2010.01412.
    """

    HPARAMS = {"rho": (0.05, Choice(0.01, 0.02, 0.05, 0.1))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        _, g, parameters = self.risk(minibatches)
        length = norm(g)
        tiny = torch.finfo(length.dtype).tiny  # where the gradient is zero there is nowhere to go
        with perturbed(parameters, g, self.hparams["rho"] / length.clamp(min=tiny)):
            loss, gradients, _ = self.risk(minibatches)
        self.descend(parameters, gradients)
        return {"loss": loss}


class GSAM(_SharpnessAware):
    """SAM that also shrinks the gap between the risk at the worst point and the risk at the weights:

    w <- optimizer step with g₁ - α v,   g₀ = ∇CE(w),   g₁ = ∇CE(w + ρ g₀/‖g₀‖),
    v = g₀ - cos(g₀, g₁) ‖g₀‖ g₁/‖g₁‖,   the part of g₀ that is orthogonal to g₁;   ρ = 0.05.

    Returns the loss at w.

    Source: J. Zhuang et al., Surrogate Gap Minimization Improves Sharpness-Aware Training, ICLR 2022, arXiv:2203.08065.
    """

    HPARAMS = {"alpha": (0.001, Choice(0.01, 0.02, 0.05, 0.1))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        loss, g0, parameters = self.risk(minibatches)
        with perturbed(parameters, g0, RHO / (norm(g0) + EPS)), frozen_running_statistics(self.network):
            _, g1, _ = self.risk(minibatches)
        n0, n1 = norm(g0), norm(g1)
        along = inner(g0, g1) / (n0 * n1 + EPS) * n0 / (n1 + EPS)
        alpha = self.hparams["alpha"]
        self.descend(parameters, [v - alpha * (u - along * v) for u, v in zip(g0, g1, strict=True)])
        return {"loss": loss}


class SAGM(_SharpnessAware):
    """Follow the mean of the gradients at the weights and at a worse point near them:

    w <- optimizer step with ½ (g₀ + g₁),   g₀ = ∇CE(w),   g₁ = ∇CE(w + (ρ/‖g₀‖ - α) g₀),   ρ = 0.05.

    Returns the loss at w.

    Source: P. Wang et al., Sharpness-Aware Gradient Matching for Domain Generalization, CVPR 2023, arXiv:2303.10353.
    """

    HPARAMS = {"alpha": (0.001, Constant(0.001))}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        loss, g0, parameters = self.risk(minibatches)
        length = RHO / (norm(g0) + EPS) - self.hparams["alpha"]
        with perturbed(parameters, g0, length), frozen_running_statistics(self.network):
            _, g1, _ = self.risk(minibatches)
        self.descend(parameters, [(u + v) / 2 for u, v in zip(g0, g1, strict=True)])
        return {"loss": loss}
