"""Classification accuracy over a loader, and what an algorithm may know of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Algorithm, HeldOut, Minibatch
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


@dataclass(frozen=True)
class TrainingDomains:
    """The `domainbed.algorithms.base.Evaluation` that a run offers its algorithm: nothing of the test domains.

    Args:
        algorithm: to be evaluated.
        device: where it is.
        held_out_loaders: one for each training domain with a held-out split.
        minibatches: count -> those of the updates that would come next.
    """

    algorithm: Algorithm
    device: torch.device
    held_out_loaders: Callable[[], Iterable[Iterable[tuple[Tensor, Tensor]]]]
    minibatches: Callable[[int], Iterator[list[Minibatch]]]

    def held_out(self) -> HeldOut:
        """Accuracy and cross-entropy, means over the training domains."""
        domains = [_held_out(self.algorithm, loader, self.device) for loader in self.held_out_loaders()]
        if not domains:
            raise InputError("no training domain has held-out samples; raise the holdout_fraction")
        accuracies, losses = zip(*domains, strict=True)
        return HeldOut(sum(accuracies) / len(domains), sum(losses) / len(domains))


def _held_out(network: Algorithm, loader: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> HeldOut:
    network.eval()
    hits, loss, count = 0.0, 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            logits, labels = network.predict(x.to(device)), y.to(device)
            hits += (_classes(logits) == labels).sum().item()
            loss += F.cross_entropy(logits.double(), labels, reduction="sum").item()
            count += len(y)
    network.train()
    return HeldOut(hits / count, loss / count)
