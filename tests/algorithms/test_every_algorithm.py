"""What holds for every registered algorithm, and for each one wrapped. A new algorithm is covered once registered."""

import io
import math
import os
import random

import numpy as np
import pytest
import torch

from domainbed.algorithms import algorithm_names, get_algorithm_class
from domainbed.errors import InputError
from domainbed.running.hparams import default_hparams

# DOMAINBED_TEST_DEVICE=cuda runs all of this on a GPU.
DEVICE = os.environ.get("DOMAINBED_TEST_DEVICE", "cpu")
# Every branch within a few updates: penalties on at the second, and a small window for the search.
TINY = {
    "irm_penalty_anneal_iters": 1, "vrex_penalty_anneal_iters": 1, "ib_penalty_anneal_iters": 1,
    "penalty_anneal_iters": 1, "rdm_penalty_anneal_iters": 1, "eqrm_burnin_iters": 1, "iters": 1, "linear_steps": 1,
    "grad_penalty": 0.1, "mlp_width": 8, "mlp_depth": 3, "mlp_dropout": 0.0, "pretrained": False, "resnet18": True,
    "featurizer": "StridedCNN",
    "gga_start": 1, "gga_end": 2, "gga_search_steps": 2, "gga_rho": 1e-3,
}  # fmt: skip
IMAGES_28 = {"ARM"}  # its context network is convolutional
IMAGES_224 = {"MixStyle", "MixStyle2"}  # mix the feature maps of a ResNet
NEED_TWO_DOMAINS = {"MLDG", "TRM"}
NEED_TWO_SAMPLES = {"CORAL", "IB_ERM", "IB_IRM", "RDM", "IRM"}  # a variance, or halves, of a domain's samples
ALL = algorithm_names()


def shape_for(name: str) -> tuple[int, ...]:
    base = name.removesuffix("_GGA_L").removesuffix("_GGA")
    return (3, 28, 28) if base in IMAGES_28 else (3, 224, 224) if base in IMAGES_224 else (12,)


def build(name: str, domains: int = 3, dtype: torch.dtype = torch.float32, shape=None):
    hparams = default_hparams(name, "Debug28") | TINY
    torch.manual_seed(1)
    shape = shape or shape_for(name)
    return get_algorithm_class(name)(shape, 3, domains, hparams | {"batch_size": 6}).to(DEVICE, dtype)


def minibatches(shape, step: int, sizes, dtype: torch.dtype = torch.float32):
    stream = torch.Generator().manual_seed(step)
    pairs = [(torch.randn(n, *shape, generator=stream), torch.randint(0, 3, (n,), generator=stream)) for n in sizes]
    return [(x.to(DEVICE, dtype), y.to(DEVICE)) for x, y in pairs]


def sizes_for(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (2, 2, 2) if shape == (3, 224, 224) else (6, 6, 6)


def seed(step: int) -> None:
    random.seed(step), np.random.seed(step), torch.manual_seed(step)


def train(algorithm, shape, steps, sizes=None, dtype=torch.float32):
    sizes = sizes or sizes_for(shape)
    results = []
    for step in steps:
        seed(step)
        results.append(algorithm.update(minibatches(shape, step, sizes, dtype), None))
    return results


def random_states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


def assert_finite(results) -> None:
    for result in results:
        assert result, "an update reports something"
        for key, value in result.items():
            assert isinstance(value, (int, float)), key
            assert math.isfinite(value), key


def continued(name: str, shape) -> None:
    """Save in the middle, load into a fresh object without executing code, and train both on: equal bit for bit."""
    first = build(name)
    train(first, shape, range(3))
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    torch.manual_seed(77)
    second = build(name)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    assert train(first, shape, range(3, 6)) == train(second, shape, range(3, 6))
    mine, other = first.state_dict(), second.state_dict()
    assert mine.keys() == other.keys()
    for key, value in mine.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other[key]), key


@pytest.mark.parametrize("name", ALL)
def test_continues_bit_identically_after_save_and_load(name):
    continued(name, shape_for(name))


@pytest.mark.parametrize("domains", [1, 2, 4, 6])
@pytest.mark.parametrize("name", [name for name in ALL if name not in IMAGES_224])
def test_trains_with_any_number_of_domains_or_says_that_it_needs_more(name, domains):
    if domains == 1 and name in NEED_TWO_DOMAINS:
        with pytest.raises(InputError, match="two"):
            build(name, domains)
    else:
        assert_finite(train(build(name, domains), shape_for(name), range(3), (6,) * domains))


@pytest.mark.parametrize("name", [name for name in ALL if name not in IMAGES_224])
def test_trains_on_domains_of_unequal_size(name):
    shape = shape_for(name)
    assert_finite(train(build(name), shape, range(3), (4, 7, 5)))


@pytest.mark.parametrize("name", [name for name in ALL if name not in IMAGES_224 | NEED_TWO_SAMPLES])
def test_trains_on_single_samples(name):
    assert_finite(train(build(name), shape_for(name), range(3), (1, 1, 1)))


@pytest.mark.parametrize("name", [name for name in ALL if name not in IMAGES_224])
def test_trains_in_double_precision(name):
    algorithm = build(name, dtype=torch.float64)
    assert_finite(train(algorithm, shape_for(name), range(3), dtype=torch.float64))
    algorithm.eval()
    assert (
        algorithm.predict(torch.randn(4, *shape_for(name), dtype=torch.float64, device=DEVICE)).dtype == torch.float64
    )


@pytest.mark.parametrize("wrapper", ["GGA", "GGA_L"])
@pytest.mark.parametrize("name", ALL)
def test_wrapped_it_trains_and_predicts_in_the_window_and_after(name, wrapper):
    shape = (3, 224, 224) if name in IMAGES_224 else (3, 28, 28)
    algorithm = build(f"{name}_{wrapper}", shape=shape)
    assert_finite(train(algorithm, shape, range(4)))
    assert algorithm.eval().predict(torch.randn(2, *shape, device=DEVICE)).shape == (2, 3)


@pytest.mark.parametrize("name", ALL)
def test_the_search_moves_the_features_alone(name):
    from domainbed_gga.testbed import feature_extractor

    shape = (3, 224, 224) if name in IMAGES_224 else (3, 28, 28)
    algorithm = build(f"{name}_GGA", shape=shape)
    data = minibatches(shape, 0, sizes_for(shape))
    algorithm.hparams["gga_loss_tolerance"] = math.inf
    features = {id(parameter) for parameter in feature_extractor(algorithm.base).parameters()}
    before = {key: value.clone() for key, value in algorithm.named_parameters()}
    buffers = [value.clone() for value in algorithm.buffers()]
    gradients = [parameter.grad for parameter in algorithm.parameters()]
    seed(5)
    states = random_states()
    found = algorithm.move_to_agreement(data, step=1)
    assert random_states() == states
    assert all(torch.equal(a, b) for a, b in zip(buffers, algorithm.buffers(), strict=True))
    assert [parameter.grad for parameter in algorithm.parameters()] == gradients
    for key, parameter in algorithm.named_parameters():
        if id(parameter) not in features:
            assert torch.equal(parameter, before[key]), key
    moved = any(not torch.equal(parameter, before[key]) for key, parameter in algorithm.named_parameters())
    assert moved == (found["gga_accepted"] > 0)
