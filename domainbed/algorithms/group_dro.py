"""GroupDRO: distributionally robust optimisation over domains."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import LogUniform


@register
class GroupDRO(ERM):
    """Minimise the risk of the worst mixture of domains, by exponentiated gradient ascent on the weights:

    min Σ_d q_d R_d,   q_d ← q_d exp(groupdro_eta R_d) / Σ,   q = (1, ..., 1) at first.

    The buffer q (D,) is empty until the first update.

    Source: S. Sagawa et al., Distributionally Robust Neural Networks for Group Shifts, 2019, arXiv:1911.08731.
    """

    HPARAMS = {"groupdro_eta": (1e-2, LogUniform(-3, -1))}
    q: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("q", torch.empty(0))

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        risks = torch.stack([F.cross_entropy(self.predict(x), y) for x, y in minibatches])
        q = self.q if len(self.q) else torch.ones_like(risks)
        q = q * (self.hparams["groupdro_eta"] * risks.detach()).exp()
        self.q = q / q.sum()
        loss = self.q @ risks
        self.step(loss)
        return {"loss": loss.item()}

    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore[no-untyped-def]
        if f"{prefix}q" in state_dict:
            self.q = self.q.new_empty(state_dict[f"{prefix}q"].shape)
        super()._load_from_state_dict(state_dict, prefix, *args)
