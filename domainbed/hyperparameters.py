"""Hyperparameters: how random search draws each of them, and which values a user may set.

A distribution is called with a `numpy.random.RandomState` and returns a plain Python value. A function of a RandomState
can stand in its place; all that is then known of the hyperparameter is its type.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Entry = tuple[Any, Callable[[np.random.RandomState], Any]]
"""A hyperparameter's default and its distribution."""
HparamSpace = dict[str, Entry]
"""Hyperparameters by name."""


@dataclass(frozen=True)
class Between:
    """The numbers from `low` to `high`; an end with a round bracket in `ends` is not one of them."""

    low: float
    high: float
    ends: str = "[]"

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.ends[0] == "(" else value >= self.low
        below = value < self.high if self.ends[1] == ")" else value <= self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'above' if self.ends[0] == '(' else 'at least'} {self.low:g}"
        return f"in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"


def AtLeast(low: float) -> Between:
    """The numbers `low` and larger."""
    return Between(low, math.inf)


def Above(low: float) -> Between:
    """The numbers larger than `low`."""
    return Between(low, math.inf, "(]")


@dataclass(frozen=True)
class Distribution(ABC):
    """What random search draws from.

    Args:
        allowed: the values that a user may set, an interval or a tuple of options. By default, text must be one of the
            values that can be drawn, and a number must not be negative if none that can be drawn is.
    """

    allowed: Between | tuple[Any, ...] | None = field(default=None, kw_only=True)

    @abstractmethod
    def __call__(self, r: np.random.RandomState) -> Any:
        """One draw."""

    @abstractmethod
    def support(self) -> tuple[Any, ...]:
        """All values that can be drawn, or the least and the largest of an interval."""

    @property
    def range(self) -> Between | tuple[Any, ...] | None:
        """The values that a user may set: `allowed`, or what follows from the support; None for any."""
        if self.allowed is not None:
            return self.allowed
        values = self.support()
        if isinstance(values[0], str):
            return values
        return AtLeast(0) if not isinstance(values[0], bool) and min(values) >= 0 else None


@dataclass(frozen=True)
class Constant(Distribution):
    """Always the same value."""

    value: Any

    def __call__(self, r: np.random.RandomState) -> Any:
        return self.value

    def support(self) -> tuple[Any, ...]:
        return (self.value,)

    def __repr__(self) -> str:
        return f"Constant({self.value!r})"


@dataclass(frozen=True, init=False)
class Choice(Distribution):
    """One of some values, all equally likely."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any, allowed: Between | tuple[Any, ...] | None = None):
        super().__init__(allowed=allowed)
        object.__setattr__(self, "values", values)

    def __call__(self, r: np.random.RandomState) -> Any:
        return self.values[r.choice(len(self.values))]

    def support(self) -> tuple[Any, ...]:
        return self.values

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.values))})"


@dataclass(frozen=True)
class Uniform(Distribution):
    """A number in [low, high)."""

    low: float
    high: float

    def __call__(self, r: np.random.RandomState) -> float:
        return r.uniform(self.low, self.high)

    def support(self) -> tuple[Any, ...]:
        return self.low, self.high

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.low!r}, {self.high!r})"


@dataclass(frozen=True, repr=False)
class UniformInt(Uniform):
    """A number in [low, high), rounded towards zero."""

    def __call__(self, r: np.random.RandomState) -> int:
        return int(super().__call__(r))


@dataclass(frozen=True)
class LogUniform(Distribution):
    """base ** u with u uniform in [low, high)."""

    low: float
    high: float
    base: float = 10

    def __call__(self, r: np.random.RandomState) -> float:
        return self.base ** r.uniform(self.low, self.high)

    def support(self) -> tuple[Any, ...]:
        return self.base**self.low, self.base**self.high

    def __repr__(self) -> str:
        base = "" if self.base == 10 else f", base={self.base!r}"
        return f"{type(self).__name__}({self.low!r}, {self.high!r}{base})"


@dataclass(frozen=True, repr=False)
class LogUniformInt(LogUniform):
    """base ** u with u uniform in [low, high), rounded towards zero."""

    def __call__(self, r: np.random.RandomState) -> int:
        return int(super().__call__(r))


def any_text(r: np.random.RandomState) -> str:
    """The distribution of text that a user may set to anything: always ""."""
    return ""


DROPOUT = Between(0, 1, "[)")
MNIST_SOURCES = ("download", "sample")
SMALL_FEATURIZERS = ("MNIST_CNN", "StridedCNN")

# Accepted in --hparams though no default lists them, so that the recorded dictionaries stay DomainBed's.
OPTIONAL: HparamSpace = {
    "mnist_source": ("download", Constant("download", allowed=MNIST_SOURCES)),  # "sample": 5,000 digits, no download
    "image_size": (224, Constant(224, allowed=AtLeast(1))),  # height and width to which images in files are resized
    "tolerate_truncated": (False, Constant(False)),  # True: image files cut short are read as far as they go
    "featurizer": ("MNIST_CNN", Constant("MNIST_CNN", allowed=SMALL_FEATURIZERS)),  # network for 28x28 images
    "cnn_dropout": (0.0, Constant(0.0, allowed=DROPOUT)),  # share of StridedCNN's features that are dropped
    "pretrained": (True, Constant(True)),  # False: ResNet, DINOv2 and backbones start from scratch
    "backbone": ("", any_text),  # torchvision/NAME or timm/NAME; "": by the size of the images
    "weights": ("", any_text),  # a file with the backbone's weights; "": the published ones are downloaded
    "weights_sha256": ("", any_text),  # what the file must have; recorded in any case
    "freeze_backbone": (False, Constant(False)),  # True: only the classifier is trained
    "mlp_width": (256, Constant(256, allowed=AtLeast(1))),  # for vector inputs
    "mlp_depth": (3, Constant(3, allowed=AtLeast(2))),
    "mlp_dropout": (0.0, Constant(0.0, allowed=DROPOUT)),
}


def optional(hparams: dict[str, Any], name: str) -> Any:
    """A hyperparameter listed in OPTIONAL, its default if absent."""
    return hparams.get(name, OPTIONAL[name][0])


def plain(value: Any) -> Any:
    """A numpy scalar as the Python value that it is equal to; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


def violation(value: Any, default: Any, distribution: Callable[[np.random.RandomState], Any]) -> str:
    """What a value set by a user must be and is not, such as "above 0"; "" if nothing is wrong with it."""
    drawn = plain(distribution(np.random.RandomState(0)))
    if not (_same_kind(value, default) or _same_kind(value, drawn)):
        return f"of type {type(drawn).__name__} (such as {default!r})"
    if isinstance(value, float) and not math.isfinite(value):
        return "finite"
    allowed = distribution.range if isinstance(distribution, Distribution) else None
    if allowed is None or value in allowed:
        return ""
    return str(allowed) if isinstance(allowed, Between) else f"one of {', '.join(map(str, allowed))}"


def _same_kind(value: Any, example: Any) -> bool:
    if isinstance(example, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is type(example)
