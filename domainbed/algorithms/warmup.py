"""Base class of algorithms whose penalty starts after a warm-up."""

from typing import Any

import torch
from torch import Tensor

from domainbed.algorithms.erm import ERM


class WarmedUp(ERM):
    """An ERM-like algorithm whose objective changes when `update_count` (1,) reaches a threshold.

    Adam starts anew at that update, because the moments it gathered belong to the old objective.
    """

    update_count: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros(1, dtype=torch.int64))

    def reached(self, threshold: float) -> bool:
        """Whether this update is past the warm-up; the first update is number 0."""
        return self.update_count.item() >= threshold

    def warmup_step(self, objective: Tensor, *thresholds: float, **options: Any) -> None:
        """One counted optimizer step; at a threshold by a new Adam with these options."""
        if self.update_count.item() in thresholds:
            self.optimizer = self.adam(self.network, **options)
        self.step(objective)
        self.update_count += 1
