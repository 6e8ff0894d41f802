"""Base class of domain-generalization algorithms."""

import copy
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from domainbed.algorithms.extra_state import ABSENT, ExtraState, restored
from domainbed.hyperparameters import HparamSpace

Minibatch = tuple[Tensor, Tensor]


class HeldOut(NamedTuple):
    """Means over the training domains, each on its held-out split: accuracy in [0, 1], and cross-entropy."""

    accuracy: float
    loss: float


class Evaluation(Protocol):
    """What an algorithm may see when it is evaluated: the training domains alone."""

    def held_out(self) -> HeldOut:
        """Accuracy and loss of `predict` with the weights that the algorithm has now."""

    def minibatches(self, count: int) -> Iterator[list[Minibatch]]:
        """The minibatches, one per domain, of the `count` updates that would come next."""


class Algorithm(nn.Module):
    """A domain-generalization algorithm: a model and its training step.

    Subclasses set everything up in the constructor, implement `update` and `predict`, and declare their
    hyperparameters in `HPARAMS`: name -> (default, distribution), see `domainbed.hyperparameters`.

    Args:
        input_shape: (C, H, W) of one image, or (features,).
        num_classes: K.
        num_domains: training domains D; `update` receives that many minibatches.
        hparams: all hyperparameters by name, the attribute `hparams`.
    """

    HPARAMS: ClassVar[HparamSpace] = {}
    # How many samples `predict` is given at once, where that is part of what it means: its predictions depend on the
    # batch, change the algorithm, or follow gradients. None: of no importance, and none of these.
    EVALUATION_BATCH: ClassVar[int | None] = None
    # Attributes that no later update depends on, such as a cache: checkpoints leave them out.
    STATELESS: ClassVar[tuple[str, ...]] = ()
    # Whether the run's result is the last record alone; those before are kept apart, in the directory `progress`.
    REPORTS_LAST: ClassVar[bool] = False
    optimizer: torch.optim.Optimizer

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__()
        self.hparams = hparams

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        """The hyperparameters this algorithm adds on `dataset`. Overridden where they depend on the dataset."""
        return cls.HPARAMS

    @classmethod
    def check_hparams(cls, hparams: dict[str, Any]) -> None:
        """Check constraints between a run's hyperparameters. Overridden where there are any.

        Raises:
            InputError: the values given do not work together.
        """

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        """One step of training.

        Args:
            minibatches: one (x, y) per training domain; x (n, *input_shape) float, y (n,) int64.
            unlabeled: one x per unlabeled test domain in domain adaptation, else None.

        Returns:
            What to log: name -> number.
        """
        raise NotImplementedError

    def next_update_is_long(self) -> bool:
        """Whether the next update may take minutes. A run keeps a copy of its state meanwhile, so that it can leave the
        update when it is asked to stop, and begin it again when it continues; other updates are finished first.
        """
        return False

    def predict(self, x: Tensor) -> Tensor:
        """Logits (n, K) of x (n, *input_shape)."""
        raise NotImplementedError

    @property
    def finished(self) -> bool:
        """Whether training ends before the run's number of steps; asked after every evaluation."""
        return False

    def after_evaluation(self, evaluation: Evaluation) -> None:
        """Called after every evaluation, before the checkpoint."""

    def after_training(self, evaluation: Evaluation) -> dict[str, float]:
        """Called after the last evaluation. Returns what to log, where REPORTS_LAST and so another record follows."""
        return {}

    def adam(self, *modules: nn.Module, **options: Any) -> torch.optim.Adam:
        """A new Adam over the modules' parameters, with hparams' lr and weight_decay unless the options say others."""
        parameters = [parameter for module in modules for parameter in module.parameters()]
        common = {"lr": self.hparams["lr"], "weight_decay": self.hparams["weight_decay"]}
        return torch.optim.Adam(parameters, **(common | options))

    def step(self, objective: Tensor, *optimizers: torch.optim.Optimizer) -> None:
        """One step of the optimizers (default: `self.optimizer`) down the gradient of a scalar objective."""
        optimizers = optimizers or (self.optimizer,)
        for optimizer in optimizers:
            optimizer.zero_grad()
        objective.backward()
        for optimizer in optimizers:
            optimizer.step()

    def get_extra_state(self) -> dict[str, Any]:
        """What the next update depends on beside parameters and buffers: attribute -> plain value (`extra_state`)."""
        return ExtraState(self, self.STATELESS).state

    def unsaved(self) -> list[str]:
        """Attributes, as "name (type)", that `get_extra_state` leaves out because it cannot save them."""
        return ExtraState(self, self.STATELESS).unsaved

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Inverse of `get_extra_state`."""
        device = next((parameter.device for parameter in self.parameters()), torch.device("cpu"))
        # Optimizers keep the tensors they load; without the copy two algorithms would train with one memory.
        for name, plain in copy.deepcopy(state).items():
            path, _, attribute = name.rpartition(".")
            module = self.get_submodule(path)
            value = restored(name, getattr(module, attribute, ABSENT), plain, device)
            if value is not ABSENT:
                setattr(module, attribute, value)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):  # type: ignore[no-untyped-def]
        # A checkpoint of the original DomainBed has weights only; it loads, and training starts with fresh optimizers.
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)
        extra = f"{prefix}_extra_state"
        if extra in missing:
            missing.remove(extra)
