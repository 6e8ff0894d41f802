"""Per-domain gradients."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.algorithms.base import Minibatch


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that require gradients."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def domain_gradients(
    network: nn.Module, minibatches: list[Minibatch], create_graph: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Every domain's risk, and its gradient in each trainable parameter p, stacked: (D, *p.shape)."""
    parameters = trainable(network)
    risks = [F.cross_entropy(network(x), y) for x, y in minibatches]
    gradients: list[Sequence[Tensor]] = [
        torch.autograd.grad(risk, parameters, create_graph=create_graph, materialize_grads=True) for risk in risks
    ]
    return risks, [torch.stack(of_domains) for of_domains in zip(*gradients, strict=True)]
