"""What holds for every algorithm, and for each one wrapped, over the table of small settings in builders.py."""

import io
import math

import pytest
import torch
from builders import (
    ALL,
    BASES,
    DEVICE,
    DOMAINS,
    IMAGE,
    PHOTO,
    build,
    equal_states,
    minibatches,
    random_states,
    seed_all,
    tiny,
    train,
)

from domainbed.errors import InputError
from domainbed_gga.testbed import feature_extractor

SEARCH_METRICS = {"gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients", "gga_loss_rise"}
WRAPPED = [f"{name}_{wrapper}" for wrapper in ("GGA", "GGA_L") for name in ALL]


def assert_finite(reports):
    for report in reports:
        assert report, "an update reports something"
        for key, value in report.items():
            assert isinstance(value, (int, float)), key
            assert math.isfinite(value), key


@pytest.mark.parametrize("name", [*ALL, *WRAPPED, "ERM_GGA_L_GGA"])
def test_continues_bit_identically_after_save_and_load(name):
    """In the middle of the window, from a file that executes no code: reports, random draws, and all state agree."""
    first, file = build(name), io.BytesIO()
    train(first, range(2))
    torch.save(first.state_dict(), file)
    expected, drawn = train(first, range(2, 4)), random_states()
    file.seek(0)
    second = build(name)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert train(second, range(2, 4)) == expected
    assert equal_states(second.state_dict(), first.state_dict())
    assert equal_states(random_states(), drawn)


@pytest.mark.parametrize(
    ("wrapper", "no_op"),
    [("GGA", {"gga_start": 100, "gga_end": 200}), ("GGA", {"gga_rho": 0.0}), ("GGA_L", {"gga_l_gamma": 0.0})],
    ids=["window later", "rho 0", "gamma 0"],
)
@pytest.mark.parametrize("name", ALL)
def test_a_wrapper_with_nothing_to_do_trains_as_the_bare_algorithm(name, wrapper, no_op):
    """Names and values of weights, buffers, optimizers, reports and random draws, bit for bit."""
    bare, wrapped = build(name), build(f"{name}_{wrapper}", **no_op)
    expected, drawn = train(bare, range(2)), random_states()
    reports = train(wrapped, range(2))
    assert [{key: report[key] for key in known} for report, known in zip(reports, expected, strict=True)] == expected
    assert equal_states(wrapped.base.state_dict(), bare.state_dict())
    assert equal_states(dict(wrapped.named_parameters()), dict(bare.named_parameters()))
    assert equal_states(random_states(), drawn)


@pytest.mark.parametrize("domains", [1, 2, 4, 6])
@pytest.mark.parametrize("name", BASES)
def test_trains_with_any_number_of_domains_or_says_that_it_needs_more(name, domains):
    if domains < tiny(name).fewest_domains:
        with pytest.raises(InputError, match="two"):
            build(name, domains=domains)
    else:
        assert_finite(train(build(name, domains=domains), range(3), domains=domains))


@pytest.mark.parametrize("name", BASES)
def test_trains_on_domains_of_unequal_size(name):
    assert_finite(train(build(name), range(3), sizes=(4, 7, 5)))


@pytest.mark.parametrize("name", BASES)
def test_trains_on_the_fewest_samples_that_its_row_says(name):
    assert_finite(train(build(name), range(3), sizes=(tiny(name).fewest_samples,) * DOMAINS))


@pytest.mark.parametrize("name", BASES)
def test_trains_in_double_precision(name):
    algorithm = build(name, dtype=torch.float64)
    assert_finite(train(algorithm, range(3)))
    assert algorithm.eval().predict(torch.randn(4, *tiny(name).shape).to(DEVICE, torch.float64)).dtype == torch.float64


def images_for(name):
    return PHOTO if tiny(name).shape == PHOTO else IMAGE


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_it_trains_and_predicts_in_the_window_and_after(name):
    shape = images_for(name)
    algorithm = build(name, shape=shape, gga_start=1, gga_end=2)
    reports = train(algorithm, range(4), shape=shape)
    assert_finite(reports)
    searched = [report.keys() >= SEARCH_METRICS for report in reports]
    assert searched == ([False] * 4 if name.endswith("_L") else [False, True, True, False])
    assert algorithm.eval().predict(torch.randn(2, *shape).to(DEVICE)).shape == (2, 4)


@pytest.mark.parametrize("name", ALL)
def test_the_search_moves_the_features_alone(name):
    shape = images_for(name)
    algorithm = build(f"{name}_GGA", shape=shape, gga_loss_tolerance=math.inf)
    features = {id(parameter) for parameter in feature_extractor(algorithm.base).parameters()}
    before = {key: value.clone() for key, value in algorithm.named_parameters()}
    buffers = {key: value.clone() for key, value in algorithm.named_buffers()}
    gradients = [parameter.grad for parameter in algorithm.parameters()]
    seed_all(5)
    states = random_states()
    report = algorithm.move_to_agreement(minibatches(0, (tiny(name).samples,) * DOMAINS, shape=shape), step=1)
    assert equal_states(random_states(), states)
    assert equal_states(dict(algorithm.named_buffers()), buffers)
    assert [parameter.grad for parameter in algorithm.parameters()] == gradients
    for key, parameter in algorithm.named_parameters():
        if id(parameter) not in features:
            assert torch.equal(parameter, before[key]), key
    moved = any(not torch.equal(parameter, before[key]) for key, parameter in algorithm.named_parameters())
    assert moved == (report["gga_accepted"] > 0)
