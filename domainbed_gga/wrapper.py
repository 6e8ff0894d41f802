"""What GGA and GGA-L share: an algorithm that holds any other algorithm, and what they need to know of it.

Needs of `domainbed` only what the original offers, so that the wrappers work in its forks too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.algorithms import Algorithm
from domainbed_gga.randomness import random_states_kept

try:
    from domainbed.errors import InputError
except ImportError:  # the original testbed has no errors of its own
    InputError = ValueError  # type: ignore[assignment, misc]

Minibatch = tuple[Tensor, Tensor]
HparamSpace = dict[str, tuple[Any, Callable[[np.random.RandomState], Any]]]
W = TypeVar("W", bound="Wrapper")

FEATURE_EXTRACTORS = ("featurizer", "network_f", "featurizer_label", "network.net.0")  # usual, SagNet, ADRMX, Fish

log = logging.getLogger(__name__)


class Wrapper(Algorithm):
    """An algorithm around another, `BASE`, whose `update` and `predict` it uses and never changes.

    `around` makes the class for a base. The base's state is found under `base.` in the state_dict.
    """

    BASE: ClassVar[type[Algorithm]]
    HPARAMS: ClassVar[HparamSpace] = {}
    update_count: Tensor
    seed: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.base = self.BASE(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros((), dtype=torch.int64))
        # Read, not drawn: where the wrapper has nothing to do, training is the base's own to the last bit.
        self.register_buffer("seed", torch.tensor(torch.initial_seed() % 2**63))
        if num_domains < 2:
            log.warning("%s: one training domain has no pair to compare; updates are the base's", type(self).__name__)

    @classmethod
    def around(cls: type[W], name: str, base: type[Algorithm]) -> type[W]:
        """The class called `name` that wraps `base`."""
        return type(name, (cls,), {"BASE": base, "__module__": cls.__module__, "__doc__": cls.__doc__})

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        """The hyperparameters it adds to the base's own."""
        return cls.HPARAMS

    def predict(self, x: Tensor) -> Tensor:
        return self.base.predict(x)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        # A wrapped algorithm's parameters keep their names, by which others compare and fill them; in the state_dict
        # the same have the prefix `base.`.
        return self.base.named_parameters(prefix, recurse, remove_duplicate)

    def domain_loss(self, minibatches: list[Minibatch]) -> Callable[[int], Tensor]:
        """domain -> cross-entropy of the base's prediction on its minibatch."""
        predict = prediction(self.base)

        def loss(domain: int) -> Tensor:
            x, y = minibatches[domain]
            return F.cross_entropy(predict(x), y)

        return loss


def unwrapped(base: Algorithm) -> Algorithm:
    """The algorithm inside, where `base` is a wrapper itself."""
    while isinstance(base, Wrapper):
        base = base.base
    return base


def feature_extractor(base: Algorithm) -> nn.Module:
    """The part of an algorithm that turns inputs into features.

    Raises:
        InputError: none of the usual attributes is there.
    """
    base = unwrapped(base)
    for path in FEATURE_EXTRACTORS:
        try:
            return base.get_submodule(path)
        except AttributeError:
            continue
    raise InputError(
        f"no feature extractor found in {type(base).__name__}: call it `featurizer`"
        f" (looked for {', '.join(FEATURE_EXTRACTORS)})"
    )


def prediction(base: Algorithm) -> Callable[[Tensor], Tensor]:
    """x -> logits, by the weights that are being trained."""
    base = unwrapped(base)
    if hasattr(base, "network_sma"):  # ERM++ predicts with an average of past weights
        return base.get_submodule("network")
    return base.predict


def predicts_randomly(base: Algorithm, x: Tensor) -> bool:
    """Whether predictions are random outside training too, as MTL's are."""
    predict = prediction(base)
    with undisturbed(base), torch.no_grad():
        base.eval()
        return not torch.allclose(predict(x[:2]), predict(x[:2]))


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Give back buffers, train/eval modes and the global random states as they were on entry."""
    buffers = [
        (part, name, buffer, buffer.clone())
        for part in module.modules()
        for name, buffer in part.named_buffers(recurse=False)
    ]
    modes = [(part, part.training) for part in module.modules()]
    with random_states_kept(module.parameters()):
        try:
            yield
        finally:
            for part, training in modes:
                part.training = training
            with torch.no_grad():
                for part, name, buffer, value in buffers:
                    setattr(part, name, buffer.copy_(value))  # a forward pass may have put another tensor there
