"""A list of records with chainable operations: group, select, filter, aggregate."""

import inspect
import json
import math
import types
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import numpy as np

Selector = str | Callable[[Any], Any]


def make_selector_fn(selector: Selector) -> Callable[[Any], Any]:
    """The function that a selector stands for.

    Args:
        selector: a key `x`, a path `x.y`, a list `x,y.z` that selects a tuple, or a plain Python function.

    Raises:
        TypeError: anything else.
    """
    if isinstance(selector, str):
        paths = [[key.strip() for key in path.split(".")] for path in selector.split(",")]
        if len(paths) == 1:
            return lambda record: _follow(record, paths[0])
        return lambda record: tuple(_follow(record, path) for path in paths)
    if isinstance(selector, types.FunctionType):
        return selector
    raise TypeError(f"a selector is a string or a plain function, not {selector!r}")


def hashable(value: Any) -> Hashable:
    """The value itself, or a JSON text that identifies it if it cannot be hashed."""
    try:
        hash(value)
    except TypeError:
        return json.dumps({"_": value}, sort_keys=True)
    return value


def _follow(record: Any, path: list[str]) -> Any:
    for key in path:
        record = record[key]
    return record


def _nan_lowest(value: Any) -> Any:
    is_nan = isinstance(value, (float, np.floating)) and math.isnan(value)
    return float("-inf") if is_nan else value


class Q:
    """A wrapped list. Methods that return many elements return a Q; slices are plain lists."""

    def __init__(self, elements: Iterable[Any]):
        self._list = list(elements)

    def __len__(self) -> int:
        return len(self._list)

    def __getitem__(self, key: int | slice) -> Any:
        return self._list[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._list)

    def __eq__(self, other: object) -> bool:
        return self._list == (other._list if isinstance(other, Q) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Q({self._list!r})"

    def group(self, selector: Selector) -> "Q":
        """(key, Q of the elements with that key) for every key, sorted by key."""
        select = make_selector_fn(selector)
        keys: dict[Any, Any] = {}
        groups: dict[Any, list[Any]] = {}
        for element in self._list:
            key = select(element)
            identity = hashable(key)
            keys.setdefault(identity, key)
            groups.setdefault(identity, []).append(element)
        return Q((keys[identity], Q(groups[identity])) for identity in sorted(groups))

    def group_map(self, selector: Selector, fn: Callable[..., Any]) -> "Q":
        """`fn(key, group)` for every group."""
        return self.group(selector).map(fn)

    def map(self, fn: Callable[..., Any]) -> "Q":
        """`fn(element)`, or `fn(*element)` if the function has more than one parameter."""
        if len(inspect.signature(fn).parameters) > 1:
            return Q(fn(*element) for element in self._list)
        return Q(fn(element) for element in self._list)

    def select(self, selector: Selector) -> "Q":
        """What the selector finds in each element."""
        return Q(map(make_selector_fn(selector), self._list))

    def filter(self, fn: Callable[[Any], Any]) -> "Q":
        """The elements for which `fn` is true."""
        return Q(filter(fn, self._list))

    def filter_equals(self, selector: Selector, value: Any) -> "Q":
        """The elements in which the selector finds `value`."""
        select = make_selector_fn(selector)
        return self.filter(lambda element: select(element) == value)

    def filter_not_none(self) -> "Q":
        """The elements that are not None."""
        return self.filter(lambda element: element is not None)

    def filter_not_nan(self) -> "Q":
        """The numbers that are not NaN."""
        return self.filter(lambda element: not math.isnan(element))

    def flatten(self) -> "Q":
        """The elements of the elements."""
        return Q(inner for element in self._list for inner in element)

    def unique(self) -> "Q":
        """The distinct elements, in the order in which they were first seen."""
        first: dict[Any, Any] = {}
        for element in self._list:
            first.setdefault(hashable(element), element)
        return Q(first.values())

    def argmax(self, selector: Selector) -> Any:
        """The first element with the largest selected value; NaN is the smallest.

        Raises:
            ValueError: no elements.
        """
        select = make_selector_fn(selector)
        return max(self._list, key=lambda element: _nan_lowest(select(element)))

    def sorted(self, key: Callable[[Any], Any] | None = None) -> "Q":
        """In ascending order of `key(element)`, stable; NaN is the smallest."""
        return Q(sorted(self._list, key=lambda element: _nan_lowest(key(element) if key else element)))

    def len(self) -> int:
        """The number of elements."""
        return len(self._list)

    def min(self) -> Any:
        """The smallest element."""
        return min(self._list)

    def max(self) -> Any:
        """The largest element."""
        return max(self._list)

    def sum(self) -> Any:
        """The sum of the elements."""
        return sum(self._list)

    def mean(self) -> float:
        """The mean; NaN of nothing."""
        return float(np.mean(self._list)) if self._list else float("nan")

    def std(self) -> float:
        """The population standard deviation; NaN of nothing."""
        return float(np.std(self._list)) if self._list else float("nan")

    def mean_std(self) -> tuple[float, float]:
        """Mean and population standard deviation."""
        return self.mean(), self.std()
