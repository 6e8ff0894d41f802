"""Names -> algorithm classes. The one place where a name such as CORAL_GGA is taken apart."""

import functools
import logging
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from domainbed.algorithms.base import Algorithm
from domainbed.errors import UnknownName, nearest
from domainbed.hyperparameters import HparamSpace

A = TypeVar("A", bound=Algorithm)
log = logging.getLogger(__name__)


class Combinator(Protocol):
    """What the entry point group `domainbed.combinators` offers: new algorithms made from any other.

    A combinator registered as GGA answers to the names <BASE>_GGA, and to GGA alone for ERM_GGA.
    """

    def wrap(self, name: str, base: type[Algorithm]) -> type[Algorithm]:
        """The class called `name` that wraps `base`."""

    def hparam_space(self, dataset: str) -> HparamSpace:
        """The hyperparameters that it adds to the base's own."""


_algorithms: dict[str, type[Algorithm]] = {}
_combinators: dict[str, Combinator] = {}


def _add(table: dict[str, Any], name: str, entry: Any) -> None:
    if table.get(name, entry) is not entry:
        raise ValueError(f"{name} is registered already, by {table[name].__module__}; choose another name")
    table[name] = entry


@functools.cache
def _load_plugins() -> None:
    """Register what installed packages offer. A broken plugin is reported and skipped."""
    for group, table in (("domainbed.algorithms", _algorithms), ("domainbed.combinators", _combinators)):
        for point in entry_points(group=group):
            try:
                _add(table, point.name, point.load())
            except Exception as error:
                log.warning("plugin %s = %s skipped: %s: %s", point.name, point.value, type(error).__name__, error)


def register(cls: type[A]) -> type[A]:
    """Class decorator: the algorithm answers to its class name.

    Raises:
        ValueError: another class has that name.
    """
    _add(_algorithms, cls.__name__, cls)
    return cls


def algorithm_names() -> list[str]:
    """Every registered algorithm that is not a combination, built-in ones first."""
    _load_plugins()
    return list(_algorithms)


def combinator_names() -> list[str]:
    """Every registered combinator."""
    _load_plugins()
    return list(_combinators)


def split(name: str) -> tuple[str, Combinator] | None:
    """CORAL_GGA -> ("CORAL", GGA), GGA -> ("ERM", GGA); None for a name that is no combination."""
    _load_plugins()
    if name in _algorithms:
        return None
    if name in _combinators:
        return "ERM", _combinators[name]
    suffixes = [suffix for suffix in _combinators if name.endswith(f"_{suffix}")]
    if not suffixes:
        return None
    longest = max(suffixes, key=len)
    return name.removesuffix(f"_{longest}"), _combinators[longest]


@functools.cache
def get_algorithm_class(name: str) -> type[Algorithm]:
    """The algorithm of that name; a combination is made when its name is first asked for.

    Raises:
        UnknownName: (a NotImplementedError) neither an algorithm nor a combination of known ones.
    """
    _load_plugins()
    if name in _algorithms:
        return _algorithms[name]
    parts = split(name)
    if parts:
        base, combinator = parts
        return combinator.wrap(name, get_algorithm_class(base))
    raise UnknownName(f"Algorithm not found: {name}{nearest(name, [*_algorithms, *_combinators])}")
