"""Algorithm and combinator classes by name. The one place where a name such as CORAL_GGA is taken apart."""

from typing import Protocol, TypeVar

from domainbed.algorithms.base import Algorithm
from domainbed.hyperparameters import HparamSpace
from domainbed.names import ALGORITHMS, in_table_order
from domainbed.registry import ClassRegistry, Registry

A = TypeVar("A", bound=Algorithm)


class Combinator(Protocol):
    """An entry of the group `domainbed.combinators`: makes new algorithms from any other.

    A combinator registered as GGA answers to the names <BASE>_GGA, and to GGA alone for ERM_GGA.
    """

    def wrap(self, name: str, base: type[Algorithm]) -> type[Algorithm]:
        """The class called `name` that wraps `base`."""

    def hparam_space(self, dataset: str) -> HparamSpace:
        """The hyperparameters that it adds to those of the base."""


_algorithms: ClassRegistry[Algorithm] = ClassRegistry("Algorithm", "domainbed.algorithms", Algorithm)
_combinators: Registry[Combinator] = Registry("Combinator", "domainbed.combinators")
# By the class that is wrapped too, since another one can take its name at run time.
_combinations: dict[tuple[str, type[Algorithm]], type[Algorithm]] = {}


def register(cls: type[A]) -> type[A]:
    """Class decorator: the algorithm answers to its class name.

    Raises:
        ValueError: another class has that name.
    """
    _algorithms.add(cls.__name__, cls)
    return cls


def algorithm_names() -> list[str]:
    """Every algorithm that is not a combination, in table order."""
    return in_table_order(_algorithms.entries(), ALGORITHMS)


def combinator_names() -> list[str]:
    """Every combinator."""
    return list(_combinators.entries())


def split(name: str) -> tuple[str, Combinator] | None:
    """CORAL_GGA -> ("CORAL", GGA), GGA -> ("ERM", GGA); None for a name that is no combination."""
    combinators = _combinators.entries()
    if name in _algorithms.entries():
        return None
    if name in combinators:
        return "ERM", combinators[name]
    suffixes = [suffix for suffix in combinators if name.endswith(f"_{suffix}")]
    if not suffixes:
        return None
    longest = max(suffixes, key=len)
    return name.removesuffix(f"_{longest}"), combinators[longest]


def get_algorithm_class(name: str) -> type[Algorithm]:
    """The algorithm of that name; a combination is made when its name is first asked for.

    Raises:
        UnknownName: (a NotImplementedError) neither an algorithm nor a combination of known ones.
    """
    parts = split(name)
    if not parts:
        return _algorithms.get(name, also=combinator_names())
    base, combinator = get_algorithm_class(parts[0]), parts[1]
    if (name, base) not in _combinations:
        _combinations[name, base] = combinator.wrap(name, base)
    return _combinations[name, base]
