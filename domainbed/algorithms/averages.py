"""Exponential and simple moving averages over training steps."""

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving averages of named tensors:  m <- ema m + (1 - ema) x,  m = 0 at first.

    Gradients flow through x alone; past averages are constants.

    Args:
        ema: the weight of the past, in [0, 1).
        oneminusema_correction: return m / (1 - ema), so that the newest term has weight one.
    """

    def __init__(self, ema: float, oneminusema_correction: bool = True):
        self.ema = ema
        self.correction = 1 / (1 - ema) if oneminusema_correction else 1.0
        self.averages: dict[str, Tensor] = {}

    def update(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update the averages with one value for each name; the new ones, each flattened to (1, elements)."""
        corrected = {}
        for name, value in data.items():
            row = value.reshape(1, -1)
            past = self.averages.get(name, torch.zeros_like(row))
            average = self.ema * past.to(row) + (1 - self.ema) * row
            self.averages[name] = average.detach()
            corrected[name] = self.correction * average
        return corrected

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by name."""
        return dict(self.averages)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.averages = dict(state)


class ErmPlusPlusMovingAvg:
    """Simple moving average of a network's states since iteration 600; before that, a copy of the network.

    Source: P. Teterwak et al., ERM++: An Improved Baseline for Domain Generalization, 2023, arXiv:2304.01973.

    Args:
        network: the network in training; `network_sma` is its average, in eval mode.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self.network_sma = copy.deepcopy(network).eval()
        self.sma_start_iter = 600
        self.global_iter = 0
        self.sma_count = 0

    @torch.no_grad()
    def update_sma(self) -> None:
        """Count one iteration and take the network's parameters and normalisation statistics into the average."""
        self.global_iter += 1
        if self.global_iter >= self.sma_start_iter:
            self.sma_count += 1
        current = self.network.state_dict()
        for name, average in self.network_sma.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                average.copy_((average * self.sma_count + current[name]) / (self.sma_count + 1))
