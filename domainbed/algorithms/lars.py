"""LARS: layer-wise adaptive rate scaling."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class LARS(torch.optim.Optimizer):
    """Momentum SGD with updates scaled to the norm of each weight tensor:

    d = g + weight_decay p,   d <- d trust ‖p‖/‖d‖   (tensors with two dimensions or more; d = g for the others),
    μ <- momentum μ + d,   p <- p - lr μ.

    Source: Y. You, I. Gitman, B. Ginsburg, Large Batch Training of Convolutional Networks, 2017, arXiv:1708.03888.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.0,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        trust_coefficient: float = 0.001,
    ):
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "trust_coefficient": trust_coefficient,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    direction = _direction(parameter, parameter.grad, group["weight_decay"], group["trust_coefficient"])
                    state = self.state[parameter]
                    state["mu"] = group["momentum"] * state.get("mu", torch.zeros_like(parameter)) + direction
                    parameter.sub_(group["lr"] * state["mu"])


def _direction(parameter: Tensor, gradient: Tensor, weight_decay: float, trust_coefficient: float) -> Tensor:
    if parameter.dim() <= 1:
        return gradient
    direction = gradient + weight_decay * parameter
    length, reach = direction.norm(), trust_coefficient * parameter.norm()
    return direction * torch.where((length > 0) & (reach > 0), reach / length, torch.ones_like(length))
