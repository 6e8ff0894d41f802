"""Distributions draw what their formula says, from the legacy stream of numpy, and know which values a user may set."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainbed.hyperparameters import (
    OPTIONAL,
    Above,
    AtLeast,
    Between,
    Choice,
    Constant,
    LogUniform,
    LogUniformInt,
    Uniform,
    UniformInt,
    optional,
    plain,
    violation,
)
from domainbed.networks import Featurizer

# a distribution -> its formula, as DomainBed writes its random draws
FORMULAS = {
    Constant(0.5): lambda r: 0.5,
    Choice(0.0, 0.1, 0.5): lambda r: r.choice([0.0, 0.1, 0.5]),
    Choice(8, 9, 10): lambda r: int(r.choice([8, 9, 10])),
    Choice("tanh", "relu"): lambda r: r.choice(["tanh", "relu"]),
    Uniform(0.1, 3): lambda r: r.uniform(0.1, 3.0),
    UniformInt(70, 100): lambda r: int(r.uniform(70, 100)),
    LogUniform(-5, -3.5): lambda r: 10 ** r.uniform(-5, -3.5),
    LogUniformInt(3, 5.5, base=2): lambda r: int(2 ** r.uniform(3, 5.5)),
}


@pytest.mark.parametrize("distribution", FORMULAS, ids=repr)
@given(seed=st.integers(0, 2**31 - 1))
def test_a_draw_is_the_formulas_to_the_last_digit_and_a_value_that_a_user_may_set(distribution, seed):
    drawn = distribution(np.random.RandomState(seed))
    expected = plain(FORMULAS[distribution](np.random.RandomState(seed)))
    assert (drawn, type(drawn)) == (expected, type(expected))
    assert violation(drawn, drawn, distribution) == ""


@pytest.mark.parametrize("distribution", FORMULAS, ids=repr)
def test_the_text_is_the_expression_that_makes_it(distribution):
    assert eval(repr(distribution)) == distribution


@pytest.mark.parametrize(
    ("interval", "inside", "outside", "text"),
    [
        (AtLeast(1), [1, 2, 1e9], [0, 0.999, -1], "at least 1"),
        (Above(0), [1e-300, 5], [0, -0.0, -1], "above 0"),
        (Between(0, 1), [0, 0.5, 1], [-1e-9, 1 + 1e-9], "in [0, 1]"),
        (Between(0, 1, "[)"), [0, 0.999], [1, -0.1], "in [0, 1)"),
        (Between(-math.inf, 1, "()"), [-1e9, 0.5], [1, 2], "in (-inf, 1)"),
    ],
    ids=str,
)
def test_intervals_hold_their_ends_as_written(interval, inside, outside, text):
    assert all(value in interval for value in inside)
    assert not any(value in interval for value in outside)
    assert str(interval) == text


@pytest.mark.parametrize(
    ("distribution", "default", "accepted", "refused"),
    [
        (LogUniform(-5, -1), 0.1, [0, 0.0, 3, 1e-9], {-1: "at least 0", "x": "of type float (such as 0.1)"}),
        (LogUniform(-5, -1, allowed=Above(0)), 0.1, [1], {0: "above 0"}),
        (Uniform(-1, 1), 0.0, [-50.0, 7], {math.nan: "finite", -math.inf: "finite"}),
        (Choice(0.0, 0.5, allowed=Between(0, 1, "[)")), 0.0, [0.3], {1.0: "in [0, 1)"}),
        (Choice(1, 2), 2, [0, 7], {-1: "at least 0", 1.5: "of type int (such as 2)", True: "of type int (such as 2)"}),
        (LogUniform(2, 3), 2500, [2000, 1999.5], {"2500": "of type float (such as 2500)"}),
        (Constant(False), False, [True, False], {0: "of type bool (such as False)"}),
        (Choice("a", "b"), "a", ["a", "b"], {"c": "one of a, b"}),
        (Constant("walk", allowed=("walk", "ascent")), "walk", ["ascent"], {"run": "one of walk, ascent"}),
        (np.random.RandomState.rand, 0.5, [-3.0, 4], {"high": "of type float (such as 0.5)", math.inf: "finite"}),
    ],
)
def test_what_a_user_may_set(distribution, default, accepted, refused):
    assert [violation(value, default, distribution) for value in accepted] == [""] * len(accepted)
    assert {value: violation(value, default, distribution) for value in refused} == refused


def test_optional_hyperparameters_have_a_default_that_a_user_may_set():
    for name, (default, distribution) in OPTIONAL.items():
        assert optional({}, name) == default
        assert violation(default, default, distribution) == ""
    assert optional({"image_size": 64}, "image_size") == 64


def test_vectors_have_a_network_without_any_hyperparameter_of_it():
    network = Featurizer((5,), {})
    assert network.input.out_features == network.n_outputs == optional({}, "mlp_width")
    assert len(network.hiddens) == optional({}, "mlp_depth") - 2
    assert network.dropout.p == optional({}, "mlp_dropout")


def test_distributions_need_no_deep_learning():
    ask = "import sys, domainbed.hyperparameters; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout == "False\n"
