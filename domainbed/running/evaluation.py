"""Classification accuracy over a loader, and what an algorithm may know of it."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Algorithm, HeldOut, Minibatch
from domainbed.errors import InputError

Measure = TypeVar("Measure")


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


def evaluation_batch(network: Algorithm, input_shape: Sequence[int], device: torch.device) -> int:
    """How many samples of a shape to evaluate at once: what `EVALUATION_BATCH` of an algorithm says, or a size at
    which a larger one would be no faster.
    """
    if size := _defined_batch(network):
        return size
    size = math.prod(input_shape)
    if device.type == "cuda":
        return max(64, min(1024, 2**26 // size))
    return max(32, min(256, 2**18 // size))  # so that the feature maps of a layer stay in the processor's cache


def _defined_batch(network: Algorithm) -> int | None:
    """`EVALUATION_BATCH` of the algorithm, or of the one that it wraps."""
    sizes = (getattr(module, "EVALUATION_BATCH", None) for module in network.modules())
    return next((size for size in sizes if size), None)


def _hits(network: Algorithm, loader: Iterable[tuple[Tensor, Tensor]], device: torch.device | str) -> Tensor:
    hits = _measured(network, loader, device, lambda logits, labels: _classes(logits) == labels)
    return torch.cat(hits).cpu().double() if hits else torch.empty(0)


def _measured(
    network: Algorithm,
    loader: Iterable[tuple[Tensor, Tensor]],
    device: torch.device | str,
    measure: Callable[[Tensor, Tensor], Measure],
) -> list[Measure]:
    """`measure(logits (n, K), labels (n,))` of each batch; leaves `network` in training mode."""
    # A prediction that depends on the batch may also do what inference mode forbids, such as following a gradient.
    defined = _defined_batch(network) is not None
    predict = network.predict if defined else _Halving(network.predict)
    network.eval()
    try:
        with torch.no_grad() if defined else torch.inference_mode():
            measures = [measure(predict(x.to(device)), y.to(device)) for x, y in loader]
    finally:
        network.train()
    if not defined:
        _leave_inference_mode(network)
    return measures


class _Halving:
    """Predictions for batches, in pieces that are halved as often as the device has no memory for one."""

    def __init__(self, predict: Callable[[Tensor], Tensor]):
        self.predict = predict
        self.size: int | None = None  # of the pieces, once a batch did not fit

    def __call__(self, x: Tensor) -> Tensor:
        size = min(self.size or len(x), len(x))
        try:
            return torch.cat([self.predict(piece) for piece in x.split(size)])
        except torch.cuda.OutOfMemoryError:
            if size == 1:
                raise
        self.size = size // 2
        return self(x)


def _leave_inference_mode(network: Algorithm) -> None:
    """Make ordinary tensors of those that predictions left in modules: others cannot be trained with."""
    for module in network.modules():
        values = vars(module)  # with the dict of its buffers
        values.update({name: _ordinary(value) for name, value in values.items() if _is_inference(value)})


def _is_inference(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_inference(item) for item in value.values())
    if type(value) in (list, tuple):
        return any(_is_inference(item) for item in value)
    return isinstance(value, Tensor) and value.is_inference()


def _ordinary(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordinary(item) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_ordinary(item) for item in value)
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


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
    measured = _measured(network, loader, device, _hits_and_loss)
    hits, loss = torch.cat([hits for hits, _ in measured]), sum(loss.item() for _, loss in measured)
    return HeldOut(hits.sum().item() / len(hits), loss / len(hits))


def _hits_and_loss(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return _classes(logits) == labels, _cross_entropy(logits.double(), labels)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum over samples; one column is the logit of class 1 of two."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits), reduction="sum")
    return F.cross_entropy(logits, labels, reduction="sum")
