"""Small algorithms, minibatches and training for the tests of every room.

TINY has a row for each algorithm that needs settings of its own; any other runs on vectors at the settings of `Tiny`.
DOMAINBED_TEST_DEVICE=cuda puts all of it on a GPU.
"""

import os
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from domainbed.algorithms import algorithm_names, get_algorithm_class, registry
from domainbed.running.hparams import default_hparams

DEVICE = torch.device(os.environ.get("DOMAINBED_TEST_DEVICE", "cpu"))
VECTOR, IMAGE, PHOTO = (5,), (3, 28, 28), (3, 64, 64)
CLASSES, DOMAINS = 4, 3


@dataclass(frozen=True)
class Tiny:
    """How an algorithm is tested in milliseconds.

    Attributes:
        hparams: on top of SMALL; penalties that set in at the second update.
        shape: of one input.
        samples: in each domain's minibatch.
        fewest_domains: that it trains with.
        fewest_samples: of one domain that it trains with.
    """

    hparams: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = VECTOR
    samples: int = 6
    fewest_domains: int = 1
    fewest_samples: int = 1


SMALL = {"featurizer": "StridedCNN", "mlp_width": 16, "mlp_depth": 3, "mlp_dropout": 0.0, "batch_size": 6}
RESNET = {"pretrained": False, "resnet18": True, "gga_search_steps": 1}
TINY = {
    "ERMPlusPlus": Tiny({"linear_steps": 1}),
    "IRM": Tiny({"irm_penalty_anneal_iters": 1}, fewest_samples=2),  # two halves
    "MLDG": Tiny(fewest_domains=2),
    "CORAL": Tiny(fewest_samples=2),  # a covariance
    "DANN": Tiny({"grad_penalty": 0.1}),
    "CDANN": Tiny({"grad_penalty": 0.1}),
    "ARM": Tiny(shape=IMAGE),  # its context network is convolutional
    "VREx": Tiny({"vrex_penalty_anneal_iters": 1}),
    "Fishr": Tiny({"penalty_anneal_iters": 1}),
    "TRM": Tiny({"iters": 1}, fewest_domains=2),
    "IB_ERM": Tiny({"ib_penalty_anneal_iters": 1}, fewest_samples=2),  # a variance
    "IB_IRM": Tiny({"irm_penalty_anneal_iters": 1, "ib_penalty_anneal_iters": 1}, fewest_samples=2),
    "EQRM": Tiny({"eqrm_burnin_iters": 1}),
    "RDM": Tiny({"rdm_penalty_anneal_iters": 1}, fewest_samples=2),  # a variance
    "MixStyle": Tiny(RESNET, shape=PHOTO, samples=2),  # mixes the feature maps of a ResNet
    "MixStyle2": Tiny(RESNET, shape=PHOTO, samples=2),
}
WINDOW = {"gga_start": 0, "gga_end": 10, "gga_search_steps": 4, "gga_rho": 1e-3}


def ours(name: str) -> bool:
    """Whether an algorithm is defined in this repository; other installed packages may offer theirs."""
    return get_algorithm_class(name).__module__.partition(".")[0] in ("domainbed", "domainbed_gga")


def tiny(name: str) -> Tiny:
    """The settings of an algorithm; a combination has its base's."""
    while parts := registry.split(name):
        name = parts[0]
    return TINY.get(name, Tiny())


ALL = [name for name in algorithm_names() if ours(name)]
BASES = [name for name in ALL if tiny(name).shape != PHOTO]  # ResNets are too large for a test of every base


def build(name, *, shape=None, classes=CLASSES, domains=DOMAINS, dtype=torch.float32, **hparams):
    """An algorithm with the weights of seed 0, in training mode."""
    window = WINDOW if "GGA" in name else {}
    chosen = default_hparams(name, "Debug28") | SMALL | window | tiny(name).hparams | hparams
    seed_all(0)
    algorithm = get_algorithm_class(name)(shape or tiny(name).shape, classes, domains, chosen)
    return algorithm.to(DEVICE, dtype).train()


def minibatches(step, sizes=(6,) * DOMAINS, *, shape=VECTOR, classes=CLASSES, dtype=torch.float32):
    """Noise that depends on the step, brighter by one for each domain; a minibatch of each size."""
    stream = torch.Generator().manual_seed(step)
    batches = []
    for domain, size in enumerate(sizes):
        x = torch.randn(size, *shape, generator=stream, dtype=dtype) + domain
        y = torch.randint(classes, (size,), generator=stream)
        batches.append((x.to(DEVICE), y.to(DEVICE)))
    return batches


def train(algorithm, steps, *, domains=DOMAINS, sizes=None, shape=None):
    """Update on the minibatches of these steps, each with the random states of its step; returns the metrics of each.

    Without `sizes`, every domain has the samples of the algorithm's row in TINY. Device and dtype are the weights'.
    """
    row, weight, reports = tiny(type(algorithm).__name__), next(algorithm.parameters()), []
    for step in steps:
        batches = minibatches(step, sizes or (row.samples,) * domains, shape=shape or row.shape)
        seed_all(step)
        reports.append(algorithm.update([(x.to(weight), y.to(weight.device)) for x, y in batches]))
    return reports


def seed_all(seed):
    """Set the global generators that algorithms draw from."""
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)


def random_states():
    """The states of the global generators, those of every GPU included."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), torch.cuda.get_rng_state_all()


def equal_states(a, b):
    """Whether two states agree to the last bit, the optimizers' and other extra state included."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal_states(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(equal_states(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else a == b
