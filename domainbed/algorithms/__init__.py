"""The algorithms, by the names they have in tables."""

from domainbed.algorithms.base import Algorithm
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.registry import (
    algorithm_names,
    combinator_names,
    get_algorithm_class,
    register,
)
from domainbed.catalogue import ALGORITHMS

__all__ = [
    "ALGORITHMS",
    "ERM",
    "Algorithm",
    "algorithm_names",
    "combinator_names",
    "get_algorithm_class",
    "register",
]
