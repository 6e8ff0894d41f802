"""MLDG: meta-learning for domain generalization."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.minibatches import need_two_domains
from domainbed.algorithms.pairing import split_meta_train_test
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import AtLeast, Choice, LogUniform


@register
class MLDG(ERM):
    """Meta-learning: the risk on meta-train domains i plus that on meta-test domains j after a step on i:

    min 1/D Σ over pairs (i, j) of  R_i(θ) + β R_j(θ'),   θ' = θ after one Adam step down R_i,  β = mldg_beta.

    First order: ∇R_j is taken at θ'. n_meta_test domains (at most D - 1) are meta-test, drawn anew at every update.
    The sum over the D - n_meta_test pairs is divided by D, as in DomainBed.

    Source: D. Li et al., Learning to Generalize: Meta-Learning for Domain Generalization, 2017, arXiv:1710.03463.
    """

    HPARAMS = {
        "mldg_beta": (1.0, LogUniform(-1, 1)),
        "n_meta_test": (2, Choice(1, 2, allowed=AtLeast(1))),
    }

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        need_two_domains("MLDG", num_domains)
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.n_meta_test = min(hparams["n_meta_test"], num_domains - 1)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        for parameter in self.network.parameters():
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
        pairs = split_meta_train_test(minibatches, self.n_meta_test)
        loss = sum(self.episode(train, test, 1 / len(minibatches)) for train, test in pairs)
        self.optimizer.step()
        return {"loss": loss}

    def episode(self, train: Minibatch, test: Minibatch, weight: float) -> float:
        """The weighted risk of one pair; its gradient, taken at a copy of the network, is added to the network's."""
        clone = copy.deepcopy(self.network)
        inner = self.adam(clone)
        train_risk = F.cross_entropy(clone(train[0]), train[1])
        self.step(train_risk, inner)
        test_risk = self.hparams["mldg_beta"] * F.cross_entropy(clone(test[0]), test[1])
        test_risk.backward()
        for parameter, moved in zip(self.network.parameters(), clone.parameters(), strict=True):
            if parameter.grad is not None and moved.grad is not None:
                parameter.grad.add_(moved.grad, alpha=weight)
        return weight * (train_risk + test_risk).item()
