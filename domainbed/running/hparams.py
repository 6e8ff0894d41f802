"""Default and random hyperparameters, composed from what the algorithms declare.

Every name is drawn from a generator of its own, so that a new hyperparameter never changes another's draw.
"""

from typing import Any

import numpy as np

from domainbed.algorithms import registry
from domainbed.algorithms.base import Algorithm
from domainbed.errors import InputError, UnknownName, nearest
from domainbed.hyperparameters import (
    DROPOUT,
    OPTIONAL,
    SMALL_FEATURIZERS,
    Above,
    AtLeast,
    Choice,
    Constant,
    Entry,
    HparamSpace,
    LogUniform,
    LogUniformInt,
    plain,
    violation,
)
from domainbed.names import SMALL_IMAGES
from domainbed.seeds import seed_hash

UNIVERSAL: HparamSpace = {
    "data_augmentation": (True, Constant(True)),
    "resnet18": (False, Constant(False)),
    "resnet50_augmix": (True, Constant(True)),
    "dinov2": (False, Constant(False)),
    "vit": (False, Constant(False)),
    "vit_attn_tune": (False, Constant(False)),
    "freeze_bn": (False, Constant(False)),
    "lars": (False, Constant(False)),
    "linear_steps": (500, Constant(500)),
    "resnet_dropout": (0.0, Choice(0.0, 0.1, 0.5, allowed=DROPOUT)),
    "vit_dropout": (0.0, Choice(0.0, 0.1, 0.5, allowed=DROPOUT)),
    "class_balanced": (False, Constant(False)),
    "nonlinear_classifier": (False, Constant(False)),
}
# They come last in the recorded dictionaries, as in DomainBed's.
LAST = ("lr", "weight_decay", "batch_size", "lr_g", "lr_d", "weight_decay_g")


def _training(dataset: str) -> HparamSpace:
    if dataset in SMALL_IMAGES:
        return {
            "lr": (1e-3, LogUniform(-4.5, -2.5, allowed=Above(0))),
            "weight_decay": (0.0, Constant(0.0)),
            "batch_size": (64, LogUniformInt(3, 9, base=2, allowed=AtLeast(1))),
        }
    largest = 5 if dataset == "DomainNet" else 5.5
    return {
        "lr": (5e-5, LogUniform(-5, -3.5, allowed=Above(0))),
        "weight_decay": (0.0, LogUniform(-6, -2)),
        "batch_size": (32, LogUniformInt(3, largest, base=2, allowed=AtLeast(1))),
    }


def _featurizer(dataset: str) -> HparamSpace:
    if dataset != "Digits":
        return {}
    return {"featurizer": ("StridedCNN", Constant("StridedCNN", allowed=SMALL_FEATURIZERS))}


def hparam_space(algorithm: str, dataset: str) -> HparamSpace:
    """name -> (default, distribution) of all hyperparameters of an algorithm on a dataset.

    An unknown algorithm has those that all algorithms have.
    """
    parts = registry.split(algorithm)
    if parts:
        base, combinator = parts
        return hparam_space(base, dataset) | combinator.hparam_space(dataset)
    try:
        added = registry.get_algorithm_class(algorithm).hparam_space(dataset)
    except UnknownName:
        added = {}
    space = UNIVERSAL | _featurizer(dataset) | _training(dataset) | added
    return {name: space[name] for name in sorted(space, key=lambda name: LAST.index(name) if name in LAST else -1)}


def default_hparams(algorithm: str, dataset: str) -> dict[str, Any]:
    """The default of every hyperparameter."""
    return {name: default for name, (default, _) in hparam_space(algorithm, dataset).items()}


def random_hparams(algorithm: str, dataset: str, seed: int) -> dict[str, Any]:
    """One draw of every hyperparameter, each from RandomState(seed_hash(seed, name)); plain Python values."""
    r = np.random.RandomState(0)  # seeded anew for every name, since another one takes forty times as long to make
    drawn = {}
    for name, (_, distribution) in hparam_space(algorithm, dataset).items():
        r.seed(seed_hash(seed, name))
        drawn[name] = plain(distribution(r))
    return drawn


def check_given_hparams(given: dict[str, Any], algorithm: str, dataset: str) -> None:
    """Check the entries of --hparams: their names, types and ranges.

    A name that only another algorithm knows is accepted, since a sweep hands the same --hparams to all of its runs.

    Raises:
        InputError: an unknown name, with the nearest ones, or a value of another type or outside the range.
    """
    known = {name: [entry] for name, entry in (OPTIONAL | hparam_space(algorithm, dataset)).items()}
    if given.keys() - known.keys():
        known = _entries_of_all(dataset) | known
    for name, value in given.items():
        if name not in known:
            raise InputError(f"unknown hparam {name!r}{nearest(name, known)}")
        wanted = [violation(value, *entry) for entry in known[name]]
        if all(wanted):
            raise InputError(f"hparam {name!r} must be {wanted[0]}, not {value!r}")


def classes_with_constraints(algorithm: str) -> list[type[Algorithm]]:
    """The class of that name and, of a combination, that of its base, those whose `check_hparams` does something."""
    cls, parts = registry.get_algorithm_class(algorithm), registry.split(algorithm)
    checks_nothing = cls.check_hparams.__func__ is Algorithm.check_hparams.__func__  # type: ignore[attr-defined]
    return ([] if checks_nothing else [cls]) + (classes_with_constraints(parts[0]) if parts else [])


def _entries_of_all(dataset: str) -> dict[str, list[Entry]]:
    """The entries of every name in the spaces of all algorithms."""
    entries: dict[str, list[Entry]] = {}
    for algorithm in registry.algorithm_names() + registry.combinator_names():
        for name, entry in hparam_space(algorithm, dataset).items():
            entries.setdefault(name, []).append(entry)
    return entries
