"""What every algorithm is."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

Minibatch = tuple[Tensor, Tensor]
HparamSpace = dict[str, tuple[Any, Callable[[np.random.RandomState], Any]]]


class Algorithm(nn.Module):
    """A domain-generalization algorithm: a model, and how one step of training changes it.

    Subclasses set everything up in the constructor, implement `update` and `predict`, and declare their
    hyperparameters in `HPARAMS`: name -> (default, draw), where draw takes a `numpy.random.RandomState`.

    Args:
        input_shape: (C, H, W) of one image, or (features,).
        num_classes: K.
        num_domains: training domains D; `update` receives that many minibatches.
        hparams: all hyperparameters by name, kept as `self.hparams`.
    """

    HPARAMS: ClassVar[HparamSpace] = {}
    # Attributes other than modules, buffers and optimizers that the next update depends on.
    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__()
        self.hparams = hparams

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        """The hyperparameters this algorithm adds on `dataset`. Overridden where they depend on the dataset."""
        return cls.HPARAMS

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        """One step of training.

        Args:
            minibatches: one (x, y) per training domain; x (n, *input_shape) float, y (n,) int64.
            unlabeled: one x per unlabeled test domain in domain adaptation, else None.

        Returns:
            What to log: name -> number.
        """
        raise NotImplementedError

    def predict(self, x: Tensor) -> Tensor:
        """Logits (n, K) of x (n, *input_shape)."""
        raise NotImplementedError

    def get_extra_state(self) -> dict[str, Any]:
        """What the next update depends on beside parameters and buffers: optimizers and the `STATE` attributes."""
        optimizers = {name: held.state_dict() for name, held in vars(self).items() if _is_optimizer(held)}
        return optimizers | {name: getattr(self, name) for name in self.STATE}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Inverse of `get_extra_state`."""
        for name, value in state.items():
            held = getattr(self, name)
            if _is_optimizer(held):
                held.load_state_dict(value)
            else:
                setattr(self, name, value)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):  # type: ignore[no-untyped-def]
        # A checkpoint of the original DomainBed has weights only; it loads, and training starts with fresh optimizers.
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)
        extra = f"{prefix}_extra_state"
        if extra in missing:
            missing.remove(extra)


def _is_optimizer(value: object) -> bool:
    return isinstance(value, (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler))
