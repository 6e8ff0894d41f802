"""Stochastic Weight Averaging Densely."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from domainbed_gga.averages import Average, IIDMax, LossValley
from domainbed_gga.testbed import Algorithm, Constant, Evaluation, HparamSpace, InputError, Minibatch
from domainbed_gga.wrapper import Wrapper

RULES = ("LossValley", "IIDMax")
REFRESH_BATCHES = 500


class SWAD(Wrapper):
    """Average the base's weights over every step of the part of training in which the held-out loss is low.

    Between two evaluations the weights after each update form a segment, whose mean is taken; at each evaluation the
    rule `swad_rule` decides by the held-out splits of the training domains which segments the average takes in, and
    may end training early. At the end the base gets the averaged weights, and BatchNorm that is not frozen the
    statistics of 500 training minibatches under them.

    The segments are the run's own: between two records. The published runs have a record every 100 steps (VLCS 50,
    DomainNet 500, of 15,001 steps): give --checkpoint_freq.

    results.jsonl has one record, of the averaged weights, with swad_start and swad_end, the first and the last step
    averaged, and swad_segments, how many segments; the records of the weights in training are in the directory
    `progress`.

    Source: J. Cha et al., SWAD: Domain Generalization by Seeking Flat Minima, NeurIPS 2021 (arXiv:2102.08604).
    """

    HPARAMS: ClassVar[HparamSpace] = {
        "swad_rule": ("LossValley", Constant("LossValley", allowed=RULES)),
        "swad_n_converge": (3, Constant(3)),
        "swad_n_tolerance": (6, Constant(6)),
        "swad_tolerance_ratio": (0.3, Constant(0.3)),
    }
    REPORTS_LAST = True
    COMPARES_DOMAINS = False

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.segment = Average.of(self.base)
        self.rule = _rule(hparams)

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        if dataset != "VLCS":
            return cls.HPARAMS
        return cls.HPARAMS | {"swad_tolerance_ratio": (0.2, Constant(0.2))}

    @classmethod
    def check_hparams(cls, hparams: dict[str, Any]) -> None:
        if hparams["swad_rule"] not in RULES:
            raise InputError(f"swad_rule is {hparams['swad_rule']!r}; it is one of {', '.join(RULES)}")
        for name in ("swad_n_converge", "swad_n_tolerance"):
            if hparams[name] < 1:
                raise InputError(f"{name} must be at least 1, not {hparams[name]}")

    @property
    def finished(self) -> bool:
        return self.rule.ended or self.base.finished

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        metrics = self.base.update(minibatches, unlabeled)
        step = int(self.update_count)
        if self.segment.count == 0:
            self.segment = Average.of(self.base)
        self.segment.add(dict(self.base.named_parameters()), step, step)
        self.update_count += 1
        return metrics

    def after_evaluation(self, evaluation: Evaluation) -> None:
        super().after_evaluation(evaluation)
        current = evaluation.held_out()
        self.segment.loss = current.loss
        self.rule.evaluated(self.segment, current.accuracy, lambda average: self._accuracy(average, evaluation))
        self.segment = Average.of(self.base)

    def after_training(self, evaluation: Evaluation) -> dict[str, float]:
        metrics = super().after_training(evaluation)
        average = self.rule.result()
        average.load_into(self.base)
        refresh_batch_norm(self.base, evaluation.minibatches(REFRESH_BATCHES))
        steps = {"swad_start": average.start_step, "swad_end": average.end_step, "swad_segments": average.count}
        return metrics | {name: float(value) for name, value in steps.items()}

    def _accuracy(self, average: Average, evaluation: Evaluation) -> float:
        current = Average.of(self.base)
        average.load_into(self.base)
        try:
            return evaluation.held_out().accuracy
        finally:
            current.load_into(self.base)


def _rule(hparams: dict[str, Any]) -> LossValley | IIDMax:
    if hparams["swad_rule"] == "IIDMax":
        return IIDMax()
    return LossValley(hparams["swad_n_converge"], hparams["swad_n_tolerance"], hparams["swad_tolerance_ratio"])


@torch.no_grad()
def refresh_batch_norm(algorithm: Algorithm, minibatches: Iterable[list[Minibatch]]) -> None:
    """Replace the statistics of BatchNorm layers by their means over minibatches, all domains together.

    Layers that stay in evaluation mode during training are frozen, and keep theirs; so do those through which no
    prediction passes in training mode, such as the average of ERM++.
    """
    algorithm.train()
    layers = [module for module in algorithm.modules() if isinstance(module, _BatchNorm) and module.training]
    if not layers:
        return
    before = [(layer.momentum, copy.deepcopy(dict(layer.named_buffers()))) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
    for domains in minibatches:
        algorithm.predict(torch.cat([x for x, _ in domains]))
    for layer, (momentum, statistics) in zip(layers, before, strict=True):
        layer.momentum = momentum
        if layer.num_batches_tracked == 0:
            for name, buffer in layer.named_buffers():
                buffer.copy_(statistics[name])
