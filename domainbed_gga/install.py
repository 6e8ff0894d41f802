"""Registration in a checkout of the original DomainBed, or of a fork. At the end of its algorithms.py:

    import domainbed_gga.install; domainbed_gga.install.into(globals())

The bundled testbed needs no such line: it finds this package by its entry points.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from domainbed.algorithms import ERM, Algorithm
from domainbed_gga.gga import GGA
from domainbed_gga.gga_l import GGA_L
from domainbed_gga.mixstyle import MixStyle, MixStyle2
from domainbed_gga.sharpness import GSAM, SAGM, SAM
from domainbed_gga.wrapper import HparamSpace, Wrapper

WRAPPERS: tuple[type[Wrapper], ...] = (GGA, GGA_L)
METHODS = (SAM, GSAM, SAGM, MixStyle, MixStyle2)

log = logging.getLogger(__name__)


def into(namespace: dict[str, Any]) -> None:
    """Make SAM, GSAM, SAGM, MixStyle, MixStyle2, GGA, GGA_L, and <NAME>_GGA and <NAME>_GGA_L of every algorithm.

    A name that the checkout has given to a class of its own is left alone.

    Args:
        namespace: the globals of the checkout's algorithms module, where its get_algorithm_class looks names up.
    """
    from domainbed import hparams_registry

    added: dict[str, type[Algorithm]] = {}

    def add(name: str, made: type[Algorithm]) -> None:
        if name in namespace:
            log.warning("%s is a name of this checkout's own; ours is not registered", name)
        else:
            namespace[name] = added[name] = made

    for method in METHODS:
        add(method.__name__, method)
    algorithms = {name: held for name, held in namespace.items() if _is_algorithm(held)}
    for wrapper in WRAPPERS:
        add(wrapper.__name__, wrapper.around(wrapper.__name__, ERM))
        for name, base in algorithms.items():
            add(f"{name}_{wrapper.__name__}", wrapper.around(f"{name}_{wrapper.__name__}", base))
    for name in [*algorithms, *added]:
        namespace.setdefault(f"{name}_SWAD", type(f"{name}_SWAD", (NeedsTrainingLoop,), {}))

    _teach(hparams_registry, added)


class NeedsTrainingLoop(Algorithm):
    """Stands for a name that a checkout's own training loop cannot train."""

    def __init__(self, *_: Any):
        raise NotImplementedError(
            f"{type(self).__name__}: SWAD averages weights within the training loop, and this checkout's does not;"
            f" train {type(self).__name__.removesuffix('_SWAD')} here"
        )


def _is_algorithm(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Algorithm) and value is not Algorithm


def _teach(registry: ModuleType, added: dict[str, type[Algorithm]]) -> None:
    """Let the checkout's hparams_registry know ours: its own hyperparameters, unchanged, and what ours add."""
    defaults, draws = registry.default_hparams, registry.random_hparams

    def parts(algorithm: str, dataset: str) -> tuple[str, HparamSpace]:
        made = added.get(algorithm)
        if made is not None and issubclass(made, Wrapper):
            base, space = parts(made.BASE.__name__, dataset)
            return base, space | made.hparam_space(dataset)
        return algorithm, getattr(made, "HPARAMS", {})

    def default_hparams(algorithm: str, dataset: str) -> dict[str, Any]:
        base, space = parts(algorithm, dataset)
        return defaults(base, dataset) | {name: default for name, (default, _) in space.items()}

    def random_hparams(algorithm: str, dataset: str, seed: int) -> dict[str, Any]:
        base, space = parts(algorithm, dataset)
        return draws(base, dataset, seed) | {name: _drawn(draw, seed, name) for name, (_, draw) in space.items()}

    registry.default_hparams, registry.random_hparams = default_hparams, random_hparams  # type: ignore[attr-defined]


def _drawn(draw: Callable[[np.random.RandomState], Any], seed: int, name: str) -> Any:
    from domainbed.lib.misc import seed_hash

    value = draw(np.random.RandomState(seed_hash(seed, name)))
    return value.item() if isinstance(value, np.generic) else value
