"""Base class of the wrappers GGA and GGA-L: an algorithm that holds any other algorithm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed_gga.testbed import Algorithm, Evaluation, HparamSpace, Minibatch, prediction

W = TypeVar("W", bound="Wrapper")

log = logging.getLogger(__name__)


class Wrapper(Algorithm):
    """An algorithm around another, `BASE`, whose `update` and `predict` it uses and never changes.

    `wrap` makes the class for a base. The base's state is found under `base.` in the state_dict.
    """

    BASE: ClassVar[type[Algorithm]]
    HPARAMS: ClassVar[HparamSpace] = {}
    REPORTS_LAST: ClassVar[bool] = False
    # Whether the wrapper does nothing with one training domain.
    COMPARES_DOMAINS: ClassVar[bool] = True
    update_count: Tensor
    seed: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        self.check_hparams(hparams)  # an original checkout does not ask before
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.base = self.BASE(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros((), dtype=torch.int64))
        # Read, not drawn: where the wrapper has nothing to do, training equals the base's to the last bit.
        self.register_buffer("seed", torch.tensor(torch.initial_seed() % 2**63))
        if num_domains < 2 and self.COMPARES_DOMAINS:
            log.warning("%s: one training domain has no pair to compare; updates are the base's", type(self).__name__)

    @classmethod
    def wrap(cls: type[W], name: str, base: type[Algorithm]) -> type[W]:
        """The class called `name` that wraps `base`."""
        reports_last = cls.REPORTS_LAST or getattr(base, "REPORTS_LAST", False)
        members = {"BASE": base, "REPORTS_LAST": reports_last, "__module__": cls.__module__, "__doc__": cls.__doc__}
        return type(name, (cls,), members)

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        """The hyperparameters that the wrapper adds to the base's."""
        return cls.HPARAMS

    @classmethod
    def check_hparams(cls, hparams: dict[str, Any]) -> None:
        """Check the wrapper's hyperparameters; those of the base are the base's to check.

        Raises:
            InputError: a value is unknown, or values do not go together.
        """

    def next_update_is_long(self) -> bool:
        """Asked by the bundled training loop; an original DomainBed's base cannot answer, nor does its loop ask."""
        return self.base.next_update_is_long()

    def predict(self, x: Tensor) -> Tensor:
        return self.base.predict(x)

    @property
    def finished(self) -> bool:
        return self.base.finished

    def after_evaluation(self, evaluation: Evaluation) -> None:
        self.base.after_evaluation(evaluation)

    def after_training(self, evaluation: Evaluation) -> dict[str, float]:
        return self.base.after_training(evaluation)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        # A wrapped algorithm's parameters keep their names, by which others compare and fill them; in the state_dict
        # the same have the prefix `base.`.
        return self.base.named_parameters(prefix, recurse, remove_duplicate)

    @property
    def innermost(self) -> Algorithm:
        """The algorithm inside all wrappers."""
        return self.base.innermost if isinstance(self.base, Wrapper) else self.base

    def domain_loss(self, minibatches: list[Minibatch]) -> Callable[[int], Tensor]:
        """domain -> cross-entropy of the base's prediction on its minibatch."""
        predict = prediction(self.innermost)

        def loss(domain: int) -> Tensor:
            x, y = minibatches[domain]
            return F.cross_entropy(predict(x), y)

        return loss
