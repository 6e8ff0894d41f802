"""GGA-L: noise in the gradient instead of a search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from domainbed_gga.randomness import normal, uniform
from domainbed_gga.similarity import Gradient, cosine, gradient, shares
from domainbed_gga.state import preserve_state
from domainbed_gga.testbed import Constant, HparamSpace, InputError, LogUniform, Minibatch, updates_as_erm
from domainbed_gga.wrapper import Wrapper

NOISES = ("normal", "uniform")


class GGA_L(Wrapper):
    """Add noise to the gradient at every training step, the more the less the domains' gradients agree.

        sim = mean over pairs of cos(g_i, g_j)
        α   = γ (1 - sim)
        θ  <- the base's optimizer step with the gradient  ∇loss + α ξ,   all parameters

    g_i is the gradient of domain i's cross-entropy, ξ standard normal (gga_l_noise: normal) or uniform on (0, 1)
    (uniform, as printed). The noise is not scaled by the gradient's size: the same γ (gga_l_gamma) is more noise for
    a network whose gradients are small. Where sim is not finite (a domain with zero gradient) it counts as -1.

    Around ERM one forward and backward pass per domain is enough, because the gradient of the union is the mean of
    the domains'; where BatchNorm runs in training mode it is not, and the base's update follows, as for every other
    base and for an ERM whose update is not the usual one. Logged: gga_l_sim.

    Source: A. Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025 (arXiv:2502.20162v5),
    supplement, Algorithm 2; the mean over pairs is meant where line 6 says minimum.
    """

    HPARAMS: ClassVar[HparamSpace] = {
        "gga_l_gamma": (1e-3, LogUniform(-4, -2)),
        "gga_l_noise": ("normal", Constant("normal", allowed=NOISES)),
    }

    @classmethod
    def check_hparams(cls, hparams: dict[str, Any]) -> None:
        if hparams["gga_l_noise"] not in NOISES:
            raise InputError(f"gga_l_noise is {hparams['gga_l_noise']!r}; it is one of {', '.join(NOISES)}")

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        self.update_count += 1
        if len(minibatches) < 2 or self.hparams["gga_l_gamma"] == 0:
            return self.base.update(minibatches, unlabeled)
        if updates_as_erm(self.base) and not mixes_samples(self.base):
            return self.one_pass(minibatches)
        with preserve_state(self):
            _, gradients = self.domain_gradients(minibatches)
        sim = mean_cosine(gradients)
        del gradients
        with self.noise_before_steps(sim):
            return self.base.update(minibatches, unlabeled) | {"gga_l_sim": sim}

    def one_pass(self, minibatches: list[Minibatch]) -> dict[str, float]:
        """ERM's update with the noise, its gradient put together from the domains'."""
        losses, gradients = self.domain_gradients(minibatches)
        weights = shares([len(y) for _, y in minibatches])
        self.base.optimizer.zero_grad()
        for parameter, *domains in zip(self.trained(), *gradients, strict=True):
            if domains[0] is not None:
                parameter.grad = sum(weight * slope for weight, slope in zip(weights, domains, strict=True))
        sim = mean_cosine(gradients)
        with self.noise_before_steps(sim):
            self.base.optimizer.step()
        loss = sum(weight * domain_loss for weight, domain_loss in zip(weights, losses, strict=True))
        return {"loss": float(loss), "gga_l_sim": sim}

    def trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def domain_gradients(self, minibatches: list[Minibatch]) -> tuple[list[Tensor], list[Gradient]]:
        """Losses and gradients of all domains, by one forward and backward pass each."""
        domain_loss, parameters = self.domain_loss(minibatches), self.trained()
        losses, gradients = [], []
        for domain in range(len(minibatches)):
            loss = domain_loss(domain)
            losses.append(loss.detach())
            gradients.append(gradient(loss, parameters))
        return losses, gradients

    @contextmanager
    def noise_before_steps(self, sim: float) -> Iterator[None]:
        """Within, every step of an optimizer of the base's parameters sees its gradients with α ξ added."""
        of_the_base, calls = set(self.parameters()), itertools.count()
        alpha = self.hparams["gga_l_gamma"] * (1 - sim)
        place = int(self.seed), int(self.update_count)

        # A hook on all optimizers, since some algorithms make a new one in the middle of an update.
        def add_noise(optimizer: torch.optim.Optimizer, *_: object) -> None:
            parameters = list(itertools.chain.from_iterable(group["params"] for group in optimizer.param_groups))
            if of_the_base.isdisjoint(parameters):
                return
            call = next(calls)
            for index, parameter in enumerate(parameters):
                if parameter.grad is not None:
                    parameter.grad.add_(self.noise(parameter.grad, *place, call, index), alpha=alpha)

        handle = register_optimizer_step_pre_hook(add_noise)
        try:
            yield
        finally:
            handle.remove()

    def noise(self, like: Tensor, *place: object) -> Tensor:
        """ξ: noise drawn as gga_l_noise says, in the shape of `like`."""
        return normal(like, *place) if self.hparams["gga_l_noise"] == "normal" else uniform(like, *place, low=0.0)


def mean_cosine(gradients: list[Gradient]) -> float:
    """Mean cosine over all pairs of gradients; -1 where it is not finite."""
    cosines = [cosine(a, b) for a, b in itertools.combinations(gradients, 2)]
    sim = float(torch.stack(cosines).mean())
    return sim if math.isfinite(sim) else -1.0


def mixes_samples(module: nn.Module) -> bool:
    """Whether a layer computes with the other samples of the batch: BatchNorm, unless frozen."""
    layers = (part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm))
    return any(layer.training or layer.running_mean is None for layer in layers)
