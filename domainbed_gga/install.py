"""Registration in a checkout of the original DomainBed, or of a fork. At the end of its algorithms.py:

    import domainbed_gga.install; domainbed_gga.install.into(globals())

The bundled testbed needs no such line: it finds this package by its entry points.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from domainbed_gga.gga import GGA
from domainbed_gga.gga_l import GGA_L
from domainbed_gga.mixstyle import MixStyle, MixStyle2
from domainbed_gga.sharpness import GSAM, SAGM, SAM
from domainbed_gga.testbed import Algorithm, HparamSpace, extend_hparams_registry
from domainbed_gga.wrapper import Wrapper

WRAPPERS: dict[str, type[Wrapper]] = {"GGA": GGA, "GGA_L": GGA_L}
METHODS = (SAM, GSAM, SAGM, MixStyle, MixStyle2)

log = logging.getLogger(__name__)


def into(namespace: dict[str, Any]) -> None:
    """Add SAM, GSAM, SAGM, MixStyle, MixStyle2, GGA, GGA_L, and <NAME>_GGA and <NAME>_GGA_L of every algorithm.

    Combinations of combinations, such as ERM_GGA_GGA_L, are made when the checkout's get_algorithm_class or its
    hparams_registry is first asked for them. A name that the checkout has given to a class of its own is left alone.

    Args:
        namespace: the globals of the checkout's algorithms module, where its get_algorithm_class looks names up.
    """
    combinations = Combinations(namespace)
    for method in METHODS:
        combinations.add(method.__name__, method)
    algorithms = [name for name, value in namespace.items() if _is_algorithm(value)]
    for suffix in WRAPPERS:
        for name in (suffix, *(f"{name}_{suffix}" for name in algorithms)):
            if name in namespace:
                log.warning("%s is the name of a class of this checkout; ours is not registered", name)
            combinations.find(name)
    if "get_algorithm_class" in namespace:
        namespace["get_algorithm_class"] = combinations.with_combinations(namespace["get_algorithm_class"])
    extend_hparams_registry(combinations.hparam_parts)


class Combinations:
    """The algorithms of a checkout's namespace and all combinations of them with the wrappers, made when asked for."""

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace
        self.added: dict[str, type[Algorithm]] = {}

    def add(self, name: str, algorithm: type[Algorithm]) -> None:
        """Put an algorithm into the namespace, unless the name is taken."""
        if name in self.namespace:
            log.warning("%s is the name of a class of this checkout; ours is not registered", name)
        else:
            self.namespace[name] = self.added[name] = algorithm

    def find(self, name: str) -> type[Algorithm] | None:
        """The algorithm of that name, made if it is a combination; None if it is neither."""
        if name not in self.namespace:
            base_name, suffix = split(name)
            base = self.find(base_name) if base_name else None
            if base is None:
                return None
            made = type(name, (NeedsTrainingLoop,), {}) if suffix == "SWAD" else WRAPPERS[suffix].wrap(name, base)
            self.add(name, made)
        value = self.namespace[name]
        return value if _is_algorithm(value) else None

    def with_combinations(self, get_algorithm_class: Any) -> Any:
        """The checkout's get_algorithm_class, before which a combination is made."""

        @functools.wraps(get_algorithm_class)
        def found(algorithm_name: str) -> Any:
            self.find(algorithm_name)
            return get_algorithm_class(algorithm_name)

        return found

    def hparam_parts(self, name: str, dataset: str) -> tuple[str, HparamSpace]:
        """The algorithm whose hyperparameters the checkout knows, and the hyperparameters that ours add to them."""
        self.find(name)
        algorithm = self.added.get(name)
        if algorithm is not None and issubclass(algorithm, Wrapper):
            base, space = self.hparam_parts(split(name)[0], dataset)
            return base, space | algorithm.hparam_space(dataset)
        return name, getattr(algorithm, "HPARAMS", {})


def split(name: str) -> tuple[str, str]:
    """CORAL_GGA -> (CORAL, GGA), GGA -> (ERM, GGA); two empty words for what is no combination."""
    combinators = (*WRAPPERS, "SWAD")
    if name in combinators:
        return "ERM", name
    suffixes = [suffix for suffix in combinators if name.endswith(f"_{suffix}")]
    return (name.removesuffix(f"_{suffixes[0]}"), suffixes[0]) if suffixes else ("", "")


class NeedsTrainingLoop(Algorithm):
    """Stands for a name that a checkout's training loop cannot train."""

    def __init__(self, *_: Any):
        name = type(self).__name__
        raise NotImplementedError(
            f"{name}: SWAD averages weights within the training loop, and this checkout's does not;"
            f" train {split(name)[0]} here"
        )


def _is_algorithm(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Algorithm) and value is not Algorithm
