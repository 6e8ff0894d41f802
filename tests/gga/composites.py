"""Small algorithms and minibatches for the tests of the wrappers."""

import random

import numpy as np
import torch

from domainbed import hparams_registry
from domainbed.algorithms import algorithm_names, get_algorithm_class

# MixStyle needs a ResNet, too large for tests over all bases.
BASES = [name for name in algorithm_names() if not name.startswith("MixStyle")]
IMAGE, VECTOR, CLASSES, DOMAINS = (3, 28, 28), (5,), 4, 3


def minibatches(step, domains=DOMAINS, size=6, shape=VECTOR):
    generator = torch.Generator().manual_seed(step)
    return [
        (torch.randn(size, *shape, generator=generator) + d, torch.randint(CLASSES, (size,), generator=generator))
        for d in range(domains)
    ]


def build(name, domains=DOMAINS, **hparams):
    """An algorithm over a small network, with the weights of seed 0. ARM alone needs images."""
    seed_all(0)
    small = {"featurizer": "StridedCNN", "mlp_width": 16, "mlp_depth": 3, "mlp_dropout": 0.0}
    window = {"gga_start": 0, "gga_end": 10, "gga_search_steps": 4, "gga_rho": 1e-3} if "GGA" in name else {}
    chosen = hparams_registry.default_hparams(name, "Debug28") | small | window | hparams
    algorithm_class = get_algorithm_class(name)
    return algorithm_class(shape_for(algorithm_class), CLASSES, domains, chosen).train()


def shape_for(algorithm_class):
    return IMAGE if algorithm_class.__name__.startswith("ARM") else VECTOR


def seed_all(seed):
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)


def train(algorithm, steps, domains=DOMAINS):
    """Update on minibatches that depend on the step; returns the metrics of each."""
    shape = shape_for(type(algorithm))
    return [algorithm.update(minibatches(step, domains, shape=shape)) for step in steps]


def random_states():
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def restore_random_states(states):
    random.setstate(states[0]), np.random.set_state(states[1]), torch.set_rng_state(states[2])


def equal_states(a, b):
    """Whether two state_dicts agree to the last bit, the optimizers' and other extra state included."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal_states(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(equal_states(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
