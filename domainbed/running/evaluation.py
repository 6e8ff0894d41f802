"""Classification accuracy over a loader."""

from collections.abc import Iterable

import torch
from torch import Tensor

from domainbed.algorithms.base import Algorithm
from domainbed.errors import InputError


def accuracy(
    network: Algorithm,
    loader: Iterable[tuple[Tensor, Tensor]],
    weights: Tensor | None,
    device: torch.device | str,
) -> float:
    """Classification accuracy of `network.predict` over a loader, in [0, 1]; leaves `network` in training mode.

    Args:
        network: predicts logits (n, K), or one column (n, 1) that is positive for class 1 of two.
        loader: batches of x (n, ...) and y (n,).
        weights: (N,), one per sample in the loader's order; None weighs all alike.
        device: where `network` is.

    Raises:
        InputError: the loader is empty.
    """
    hits = _hits(network, loader, device)
    if len(hits) == 0:
        raise InputError("accuracy: the loader has no samples; leave empty splits out")
    weights = torch.ones(len(hits)) if weights is None else weights.cpu()
    return (hits @ weights.double()).item() / weights.double().sum().item()


def _hits(network: Algorithm, loader: Iterable[tuple[Tensor, Tensor]], device: torch.device | str) -> Tensor:
    network.eval()
    with torch.no_grad():
        hits = [_classes(network.predict(x.to(device))) == y.to(device) for x, y in loader]
    network.train()
    return torch.cat(hits).cpu().double() if hits else torch.empty(0)


def _classes(logits: Tensor) -> Tensor:
    return logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(dim=1)
