"""Everything that this package imports from `domainbed`: the bundled testbed, an original DomainBed or a fork.

No other file here imports from `domainbed`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.algorithms import ERM, Algorithm
from domainbed_gga.state import preserve_state

__all__ = ["ERM", "Algorithm", "Choice", "Constant", "Evaluation", "InputError", "LogUniform"]

try:
    from domainbed.errors import InputError
except ImportError:  # an original checkout has no errors of its own
    InputError = ValueError  # type: ignore[assignment, misc]
try:
    from domainbed.algorithms.base import Evaluation
except ImportError:  # the training loop of an original checkout calls no algorithm at an evaluation
    Evaluation = Any  # type: ignore[assignment, misc]
try:
    from domainbed.hyperparameters import Choice, Constant, LogUniform
except ImportError:  # all that an original checkout knows of a hyperparameter is how to draw it

    def Constant(value: Any, **_: Any) -> Callable[[np.random.RandomState], Any]:  # type: ignore[no-redef]
        return lambda r: value

    def Choice(*values: Any, **_: Any) -> Callable[[np.random.RandomState], Any]:  # type: ignore[no-redef]
        return lambda r: values[r.choice(len(values))]

    def LogUniform(low: float, high: float, **_: Any) -> Callable[[np.random.RandomState], Any]:  # type: ignore[no-redef]
        return lambda r: 10 ** r.uniform(low, high)


Minibatch = tuple[Tensor, Tensor]
HparamSpace = dict[str, tuple[Any, Callable[[np.random.RandomState], Any]]]

FEATURE_EXTRACTORS = ("featurizer", "network_f", "featurizer_label", "network.net.0")  # usual, SagNet, ADRMX, Fish


def feature_extractor(algorithm: Algorithm) -> nn.Module:
    """The part of an algorithm that turns inputs into features.

    Raises:
        InputError: none of the usual attributes is there.
    """
    for path in FEATURE_EXTRACTORS:
        try:
            return algorithm.get_submodule(path)
        except AttributeError:
            continue
    raise InputError(
        f"no feature extractor found in {type(algorithm).__name__}: call it `featurizer`"
        f" (looked for {', '.join(FEATURE_EXTRACTORS)})"
    )


def prediction(algorithm: Algorithm) -> Callable[[Tensor], Tensor]:
    """x -> logits, by the weights that are being trained."""
    if hasattr(algorithm, "network_sma"):  # ERM++ predicts with an average of past weights
        return algorithm.get_submodule("network")
    return algorithm.predict


def predicts_randomly(algorithm: Algorithm, x: Tensor) -> bool:
    """Whether predictions are random outside training too, as MTL's are."""
    predict = prediction(algorithm)
    with preserve_state(algorithm), torch.no_grad():
        algorithm.eval()
        return not torch.allclose(predict(x[:2]), predict(x[:2]))


def updates_as_erm(algorithm: Algorithm) -> bool:
    """Whether `update` is one step of `optimizer` down the cross-entropy of `predict` on all samples, and no more.

    True for the bundled testbed's ERM and for an ERM that does what the original's does, instruction by instruction;
    False for subclasses and wherever `update`, or what it calls, has been replaced.
    """
    if type(algorithm) is not ERM or {"update", "step"} & vars(algorithm).keys():
        return False
    update, step = ERM.update, getattr(ERM, "step", None)
    bundled = _is_of(update, "domainbed.algorithms.erm") and _is_of(step, "domainbed.algorithms.base")
    return bundled or _computes_as(update, _erm_update)


def _is_of(method: Any, module: str) -> bool:
    return getattr(method, "__module__", None) == module and not hasattr(method, "__wrapped__")


def _erm_update(self: Any, minibatches: list[Minibatch], unlabeled: Any = None) -> dict[str, float]:
    inputs = torch.cat([x for x, y in minibatches])
    labels = torch.cat([y for x, y in minibatches])
    risk = F.cross_entropy(self.predict(inputs), labels)
    self.optimizer.zero_grad()
    risk.backward()
    self.optimizer.step()
    return {"loss": risk.item()}


def _computes_as(method: Any, known: Any) -> bool:
    """Whether two functions have the same instructions on the same modules; the names of local variables are free."""
    if not isinstance(method, FunctionType) or hasattr(method, "__wrapped__"):
        return False
    modules = method.__globals__.get("torch"), method.__globals__.get("F")
    return modules == (torch, F) and _instructions(method.__code__) == _instructions(known.__code__)


def _instructions(code: CodeType) -> tuple[Any, ...]:
    constants = [_instructions(value) if isinstance(value, CodeType) else value for value in code.co_consts]
    # Before Python 3.11 the names of comprehensions are among the constants.
    named = [value for value in constants if not (isinstance(value, str) and "<locals>" in value)]
    return code.co_code, code.co_names, code.co_argcount, tuple(named)


def extend_hparams_registry(parts: Callable[[str, str], tuple[str, HparamSpace]]) -> None:
    """Let the `hparams_registry` of a checkout know more names, by replacing its two functions.

    Args:
        parts: (algorithm, dataset) -> the algorithm whose hyperparameters the checkout knows, and those that are added.
    """
    from domainbed import hparams_registry as registry
    from domainbed.lib.misc import seed_hash

    defaults, draws = registry.default_hparams, registry.random_hparams

    def drawn(draw: Callable[[np.random.RandomState], Any], seed: int, name: str) -> Any:
        value = draw(np.random.RandomState(seed_hash(seed, name)))
        return value.item() if isinstance(value, np.generic) else value

    def default_hparams(algorithm: str, dataset: str) -> dict[str, Any]:
        base, space = parts(algorithm, dataset)
        return defaults(base, dataset) | {name: default for name, (default, _) in space.items()}

    def random_hparams(algorithm: str, dataset: str, seed: int) -> dict[str, Any]:
        base, space = parts(algorithm, dataset)
        return draws(base, dataset, seed) | {name: drawn(draw, seed, name) for name, (_, draw) in space.items()}

    registry.default_hparams, registry.random_hparams = default_hparams, random_hparams


def training_environments(record: dict[str, Any]) -> int:
    """The number of environments that a run was trained on, from one of its records."""
    environments = sum(name.startswith("env") and name.endswith("_in_acc") for name in record)
    return environments - len(record["args"]["test_envs"])
