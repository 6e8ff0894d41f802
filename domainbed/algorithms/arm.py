"""ARM: adaptive risk minimisation, by a batch context."""

from typing import Any

import torch
from torch import Tensor

from domainbed import networks
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.registry import register
from domainbed.errors import InputError
from domainbed.hyperparameters import AtLeast, Constant, HparamSpace
from domainbed.names import SMALL_IMAGES


@register
class ARM(ERM):
    """Classification conditioned on a context, the mean output of a context network over the batch:

    min CE(network([x_i, mean over i's group of context(x_j)]), Y),

    where a group is batch_size consecutive samples (one domain's minibatch in training), or all if they do not divide.

    As in DomainBed, whose published numbers this reproduces, the context network keeps its initial weights.

    Source: M. Zhang et al., Adaptive Risk Minimization, NeurIPS 2021, arXiv:2007.02931.
    """

    EVALUATION_BATCH = 64  # the context is that of a batch; as in DomainBed

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        return {} if dataset in SMALL_IMAGES else {"batch_size": (8, Constant(8, allowed=AtLeast(1)))}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        if len(input_shape) != 3:
            raise InputError(f"ARM takes images of shape (C, H, W), not inputs of shape {tuple(input_shape)}")
        channels, *size = input_shape
        super().__init__((channels + 1, *size), num_classes, num_domains, hparams)
        self.context_net = networks.ContextNet(input_shape)
        self.support_size = hparams["batch_size"]

    def predict(self, x: Tensor) -> Tensor:
        n = len(x)
        group = self.support_size if n % self.support_size == 0 else n
        with torch.no_grad():
            context = self.context_net(x)
        mean = context.view(-1, group, *context.shape[1:]).mean(dim=1)
        return self.network(torch.cat([x, mean.repeat_interleave(group, dim=0)], dim=1))
