"""When to average weights, and over which steps: the two rules of SWAD."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from domainbed_gga.wrapper import log


class Average:
    """The equally weighted mean of an algorithm's parameters over several moments.

    Buffers, such as the statistics of BatchNorm, are not averaged: they are those of the moment it was created.

    Attributes:
        parameters: name -> mean; before the first `add`, the values at creation.
        buffers: name -> value.
        count: moments averaged.
        start_step: first step of the first moment added, -1 before.
        end_step: last step of the last moment added, -1 before.
        loss: on the held-out splits of the training domains, of the weights at `end_step`.
    """

    def __init__(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]):
        self.parameters = {name: value.detach().clone() for name, value in parameters.items()}
        self.buffers = {name: value.detach().clone() for name, value in buffers.items()}
        self.count, self.start_step, self.end_step, self.loss = 0, -1, -1, float("nan")

    @classmethod
    def of(cls, algorithm: nn.Module) -> Average:
        """An empty average, with the algorithm's buffers as they are now."""
        return cls(dict(algorithm.named_parameters()), dict(algorithm.named_buffers()))

    def add(self, parameters: Mapping[str, Tensor], start_step: int, end_step: int) -> None:
        """Add one moment: mean + (θ - mean) / (count + 1), the first replacing the values at creation."""
        if self.count == 0:
            self.start_step = start_step
        for name, mean in self.parameters.items():
            theta = parameters[name].detach().to(mean.device)
            if self.count == 0:
                mean.copy_(theta)
            else:
                mean.add_((theta - mean) / (self.count + 1))
        self.count += 1
        self.end_step = end_step

    def add_average(self, segment: Average) -> None:
        """Add the mean of a segment as one moment."""
        self.add(segment.parameters, segment.start_step, segment.end_step)

    def emptied(self) -> Average:
        """An average of no moment with the same values."""
        return Average(self.parameters, self.buffers)

    def on_cpu(self) -> Average:
        """A copy in the memory of the CPU, where many fit."""
        other = copy.copy(self)
        other.parameters = {name: value.to("cpu", copy=True) for name, value in self.parameters.items()}
        other.buffers = {name: value.to("cpu", copy=True) for name, value in self.buffers.items()}
        return other

    @torch.no_grad()
    def load_into(self, algorithm: nn.Module) -> None:
        """Copy parameters and buffers into those of the algorithm."""
        for name, parameter in algorithm.named_parameters():
            parameter.copy_(self.parameters[name])
        for name, buffer in algorithm.named_buffers():
            buffer.copy_(self.buffers[name])

    def state_dict(self) -> dict[str, Any]:
        """All attributes."""
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`; the tensors are copied."""
        vars(self).update(state)
        self.parameters = {name: value.clone() for name, value in state["parameters"].items()}
        self.buffers = {name: value.clone() for name, value in state["buffers"].items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Average:
        """A new average with this state_dict."""
        average = cls({}, {})
        average.load_state_dict(state)
        return average


class LossValley:
    """Averages segments from where the held-out loss stops falling to where it has left the valley.

    A segment is the mean of the weights of all steps between two evaluations. With the losses l_k at evaluation k:
    converged once the oldest of the last `n_converge` losses is the smallest of them; the threshold is their mean times
    1 + `tolerance_ratio`; the valley ends where all of the last `n_tolerance` losses are above it.

    As in the published code, the segment of convergence counts more than once where the queues overlap, and the
    segment right after one above the threshold is left out.

    Source: J. Cha et al., SWAD: Domain Generalization by Seeking Flat Minima, NeurIPS 2021 (arXiv:2102.08604),
    Algorithm 1.
    """

    def __init__(self, n_converge: int, n_tolerance: int, tolerance_ratio: float):
        self.n_converge, self.n_tolerance, self.tolerance_ratio = n_converge, n_tolerance, tolerance_ratio
        self.recent: deque[Average] = deque(maxlen=max(n_converge, n_tolerance))
        self.average: Average | None = None
        self.converge_step, self.threshold, self.ended = -1, float("nan"), False

    def evaluated(self, segment: Average, accuracy: float, accuracy_of: Callable[[Average], float]) -> None:
        """Take in the segment that ends with an evaluation, its `loss` set. The accuracies decide nothing."""
        if self.ended:
            return
        self.recent.append(segment.on_cpu())
        if self.average is None:
            self._start_where_converged()
        elif self._smooth()[0].end_step >= self.converge_step:
            if self._left_valley(self._smooth()):
                self.ended = True
            else:
                self.average.add_average(self._smooth()[0])

    def result(self) -> Average:
        """The average over the valley, as training ends; the last segment if the loss never converged."""
        if self.average is None:
            log.error(
                "SWAD: the held-out loss never converged; the weights are those of the last segment alone;"
                " train longer (--steps) or evaluate more often (--checkpoint_freq)"
            )
            alone = self.recent[-1].emptied()
            alone.add_average(self.recent[-1])
            return alone
        average = Average.from_state(self.average.state_dict())
        remaining = [] if self.ended else self._smooth()[1:]
        while remaining and not self._left_valley(remaining):
            average.add_average(remaining.pop(0))
        return average

    def _smooth(self) -> list[Average]:
        return list(self.recent)[-self.n_tolerance :]

    def _left_valley(self, segments: list[Average]) -> bool:
        return min(segment.loss for segment in segments) > self.threshold

    def _start_where_converged(self) -> None:
        last = list(self.recent)[-self.n_converge :]
        losses = [segment.loss for segment in last]
        if len(last) < self.n_converge or losses.index(min(losses)) > 0:
            return
        self.converge_step = last[0].end_step
        self.threshold = sum(losses) / len(losses) * (1 + self.tolerance_ratio)
        self.average = last[0].emptied()
        for segment in self._before_convergence() if self.n_tolerance > self.n_converge else self._skipped(last):
            self.average.add_average(segment)

    def _before_convergence(self) -> list[Average]:
        """Those up to convergence, from the second after the last one above the threshold on."""
        candidates = self._smooth()[: self.n_tolerance - self.n_converge + 1]
        above = [place for place, segment in enumerate(candidates) if segment.loss > self.threshold]
        first = above[-1] + 1 if above else 0
        return candidates[first + 1 :]

    def _skipped(self, last: list[Average]) -> list[Average]:
        """Those that the shorter queue of tolerance will not hold any more."""
        return list(islice(last, 1, 1 + self.n_converge - self.n_tolerance))

    def state_dict(self) -> dict[str, Any]:
        """All that later evaluations depend on."""
        return {
            "recent": [segment.state_dict() for segment in self.recent],
            "average": self.average and self.average.state_dict(),
            **{name: getattr(self, name) for name in ("converge_step", "threshold", "ended")},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.recent.clear()
        self.recent.extend(Average.from_state(segment) for segment in state["recent"])
        self.average = Average.from_state(state["average"]) if state["average"] else None
        for name in ("converge_step", "threshold", "ended"):
            setattr(self, name, state[name])


class IIDMax:
    """Averages segments from the best held-out accuracy on, and keeps the average that was itself the best.

    Source: as `LossValley`; the method that SWAD is compared with there.
    """

    ended = False

    def __init__(self) -> None:
        self.best_accuracy, self.best_average_accuracy = 0.0, 0.0
        self.average: Average | None = None
        self.best: Average | None = None

    def evaluated(self, segment: Average, accuracy: float, accuracy_of: Callable[[Average], float]) -> None:
        """Take in the segment that ends with an evaluation.

        Args:
            accuracy: of the weights at its end, on the held-out splits of the training domains.
            accuracy_of: measures the same of an average.
        """
        if self.average is None or accuracy > self.best_accuracy:
            self.best_accuracy = accuracy
            self.average = segment.emptied().on_cpu()
        self.average.add_average(segment)
        averages_accuracy = accuracy_of(self.average)
        if self.best is None or averages_accuracy > self.best_average_accuracy:
            self.best_average_accuracy, self.best = averages_accuracy, self.average.on_cpu()

    def result(self) -> Average:
        """The average with the best accuracy."""
        assert self.best is not None
        return self.best

    def state_dict(self) -> dict[str, Any]:
        """All that later evaluations depend on."""
        return {
            "best_accuracy": self.best_accuracy,
            "best_average_accuracy": self.best_average_accuracy,
            "average": self.average and self.average.state_dict(),
            "best": self.best and self.best.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.best_accuracy, self.best_average_accuracy = state["best_accuracy"], state["best_average_accuracy"]
        self.average = Average.from_state(state["average"]) if state["average"] else None
        self.best = Average.from_state(state["best"]) if state["best"] else None
