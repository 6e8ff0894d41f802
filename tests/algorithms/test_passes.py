"""No method runs its feature extractor over the batch more often than it needs to."""

import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from builders import ALL

from domainbed import networks
from domainbed.networks.base import repeatable

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import passes

HPARAMS = {"mlp_width": 4, "mlp_depth": 3, "mlp_dropout": 0.0}


def test_every_algorithm_has_a_row():
    assert passes.NEEDED.keys() == set(ALL)


@pytest.mark.parametrize("name", passes.NEEDED)
def test_it_makes_the_passes_that_it_needs_and_no_more(name):
    shape = (3, 64, 64) if name in passes.ON_RESNETS else passes.input_shape(name)
    counted = passes.count_passes(passes.build(name, 2, shape), passes.minibatches(shape, 2))
    needed = passes.NEEDED[name]
    assert (counted.forward, counted.backward) == (needed.forward, needed.backward)


@pytest.mark.parametrize(
    ("name", "forward", "backward"), [("SagNet", 3, 2), ("ERMPlusPlus", 2, 1), ("Transfer", 12, Fraction(5, 3))]
)
def test_batch_normalisation_sees_every_pass_of_the_original(name, forward, backward):
    """A Wide ResNet's running statistics move with each forward pass: none may be left out."""
    shape = (3, 32, 32)
    counted = passes.count_passes(passes.build(name, 2, shape), passes.minibatches(shape, 2))
    assert (counted.forward, counted.backward) == (forward, backward)


def test_a_pass_is_repeatable_without_batch_statistics_and_dropout():
    assert repeatable(networks.MNIST_CNN((1, 28, 28)))
    assert repeatable(networks.MLP(3, 4, HPARAMS))
    assert not repeatable(networks.MLP(3, 4, HPARAMS | {"mlp_dropout": 0.5}))
    assert not repeatable(torch.nn.BatchNorm1d(3))
    assert repeatable(torch.nn.BatchNorm1d(3).eval())
