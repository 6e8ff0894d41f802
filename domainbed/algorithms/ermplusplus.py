"""ERM++: empirical risk minimisation with weight averaging and a learning-rate schedule."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.averages import ErmPlusPlusMovingAvg
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.lars import LARS
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Above, LogUniform
from domainbed.networks.base import repeatable

Schedule = list[list[float]]


@register
class ERMPlusPlus(Algorithm, ErmPlusPlusMovingAvg):
    """ERM with classifier warm-up, weight averaging and a validated schedule: min CE(c(f(X)), Y), where

    - c alone learns in the first linear_steps + 1 updates, at linear_lr; then f and c, at lr;
    - prediction is by `network_sma`, the mean of all weights since update 600;
    - `set_lr` finds, on validation data, when to lower the learning rate and when to stop, or replays what was found.

    Source: P. Teterwak et al., ERM++: An Improved Baseline for Domain Generalization, 2023, arXiv:2304.01973.
    """

    HPARAMS = {"linear_lr": (5e-5, LogUniform(-5, -3.5, allowed=Above(0)))}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        Algorithm.__init__(self, input_shape, num_classes, num_domains, hparams)
        self.featurizer = networks.Featurizer(input_shape, hparams)
        self.classifier = networks.Classifier(self.featurizer.n_outputs, num_classes, hparams["nonlinear_classifier"])
        ErmPlusPlusMovingAvg.__init__(self, nn.Sequential(self.featurizer, self.classifier))
        self.optimizer = self._optimizer(self.network, hparams["lr"])
        self.linear_optimizer = self._optimizer(self.classifier, hparams["linear_lr"])
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=1)
        self.lr_schedule: Schedule = []
        self.lr_schedule_changes = 0

    def _optimizer(self, module: nn.Module, lr: float) -> torch.optim.Optimizer:
        kind = LARS if self.hparams["lars"] else torch.optim.Adam
        return kind(module.parameters(), lr=lr, weight_decay=self.hparams["weight_decay"])

    @property
    def _classifier_only(self) -> bool:
        return self.global_iter <= self.hparams["linear_steps"]

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        with torch.set_grad_enabled(not self._classifier_only):
            z = self.featurizer(x)
        loss = F.cross_entropy(self.classifier(z), y)
        self.step(loss, self.linear_optimizer if self._classifier_only else self.optimizer)
        self.update_sma()
        if not self.hparams["freeze_bn"]:
            self.network_sma.train()
            if not repeatable(self.network_sma):  # batch statistics must be those of the averaged weights
                with torch.no_grad():
                    self.network_sma(x)
        return {"loss": loss.item()}

    def predict(self, x: Tensor) -> Tensor:
        self.network_sma.eval()
        return self.network_sma(x)

    def set_lr(
        self,
        eval_loaders_iid: Iterable[Iterable[Minibatch]] | None = None,
        schedule: Schedule | None = None,
        device: torch.device | str | None = None,
    ) -> Schedule | None:
        """Adapt the learning rate at a checkpoint; nothing happens while the classifier learns alone.

        Args:
            eval_loaders_iid: loaders of validation data, whose mean loss decides.
            schedule: replay this instead, one entry for each checkpoint.
            device: where to evaluate; default: where the network is.

        Returns:
            The schedule found so far, one [learning rate] for each checkpoint, which ends in [0.0] when training
            should stop; with `schedule` given, what is left of it.
        """
        if self._classifier_only or (schedule is None and eval_loaders_iid is None):
            return schedule
        if schedule is not None:
            for group in self.optimizer.param_groups if schedule else []:
                group["lr"] = schedule[0][0]
            return schedule[1:]
        assert eval_loaders_iid is not None
        self.scheduler.step(self._validation_loss(eval_loaders_iid, device))
        self.lr_schedule.append([self.optimizer.param_groups[0]["lr"]])
        if self.lr_schedule[-1] != self.lr_schedule[-2:][0]:
            self.lr_schedule_changes += 1
        if self.lr_schedule_changes == 3:
            self.lr_schedule[-1] = [0.0]
        return self.lr_schedule

    @torch.no_grad()
    def _validation_loss(self, loaders: Iterable[Iterable[Minibatch]], device: torch.device | str | None) -> float:
        device = device or next(self.parameters()).device
        self.network_sma.eval()
        means = []
        for loader in loaders:
            losses = [F.cross_entropy(self.network_sma(x.to(device)), y.to(device)) for x, y in loader]
            means.append(torch.stack(losses).mean())
        return torch.stack(means).mean().item()
