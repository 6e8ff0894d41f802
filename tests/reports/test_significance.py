"""Comparisons with a baseline: values worked out by hand, and what must hold of any."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domainbed.reports.significance import (
    compare,
    few_pairs,
    holm,
    interval,
    paired_differences,
    signed_rank_p,
    trials_needed,
)


def selected(accuracies):
    """Of {(algorithm, environment, trial): accuracy in percent}, on one dataset."""
    rows = [
        {"dataset": "PACS", "algorithm": name, "test_env": env, "trial_seed": trial, "test_acc": accuracy / 100}
        for (name, env, trial), accuracy in accuracies.items()
    ]
    return pd.DataFrame(rows)


def grid(environments, trials, seed=0, **shifts):
    """Random accuracies of ERM, and those of other algorithms, which differ by a number or by numbers of their own."""
    generator = np.random.default_rng(seed)
    accuracies = {("ERM", *place): generator.uniform(50, 90) for place in product(range(environments), range(trials))}
    shifted = {
        (name, *place): accuracies[("ERM", *place)] + (generator.normal(2, 5) if shift is None else shift)
        for name, shift in shifts.items()
        for place in product(range(environments), range(trials))
    }
    return selected(accuracies | shifted)


def row(table, algorithm="GGA"):
    return table.set_index("algorithm").loc[algorithm]


def test_a_comparison_worked_out_by_hand():
    """Six pairs, differences 1, 2, 3 in environment 0 and 4, 5, 12 in environment 1.

    Means 2 and 7, together 4.5. All six are positive: p = 2 / 2^6. Of two environment means the resamples have the
    means 2, 4.5 and 7 with the probabilities 1/4, 1/2, 1/4, so that the interval is from 2 to 7.
    """
    gains = {(0, 0): 1, (0, 1): 2, (0, 2): 3, (1, 0): 4, (1, 1): 5, (1, 2): 12}
    accuracies = {("ERM", *place): 60 for place in gains} | {
        ("GGA", *place): 60 + gain for place, gain in gains.items()
    }
    compared = row(compare(selected(accuracies), "ERM"))
    assert compared["pairs"] == 6
    assert compared["environments"] == 2
    assert compared["difference"] == pytest.approx(4.5)
    assert compared[["low", "high"]].tolist() == pytest.approx([2, 7])
    assert compared["p"] == pytest.approx(2 / 2**6)
    assert compared["p_holm"] == compared["p"]


def test_only_pairs_count():
    """Trial 1 of environment 0 has no GGA; what it would change is not there. The mean is over environments."""
    accuracies = {("ERM", 0, 0): 50, ("ERM", 0, 1): 10, ("ERM", 1, 0): 50, ("ERM", 1, 1): 50}
    accuracies |= {("GGA", 0, 0): 51, ("GGA", 1, 0): 52, ("GGA", 1, 1): 56, ("GGA", 2, 0): 99}
    differences = paired_differences(selected(accuracies), "GGA", "ERM")
    assert differences.to_dict() == pytest.approx({("PACS", 0, 0): 1, ("PACS", 1, 0): 2, ("PACS", 1, 1): 6})
    assert row(compare(selected(accuracies), "ERM"))["difference"] == pytest.approx((1 + 4) / 2)


def test_fewer_than_six_pairs_give_the_interval_only_and_say_so():
    table = compare(grid(5, 1, GGA=None), "ERM")
    assert math.isnan(row(table)["p"])
    assert math.isnan(row(table)["p_holm"])
    assert row(table)["pairs_low"] < row(table)["difference"] < row(table)["pairs_high"]
    assert few_pairs(table) == ["fewer than 6 pairs, so the intervals only: GGA"]
    assert few_pairs(compare(grid(6, 1, GGA=None), "ERM")) == []


def test_one_environment_gives_no_interval_over_environments():
    compared = row(compare(grid(1, 6, GGA=None), "ERM"))
    assert compared[["low", "high"]].isna().all()
    assert compared["pairs_low"] < compared["pairs_high"]


@settings(max_examples=10, deadline=None)
@given(st.floats(-20, 20), st.integers(2, 4), st.integers(1, 3))
def test_a_constant_shift_has_its_value_and_an_interval_without_width(shift, environments, trials):
    compared = row(compare(grid(environments, trials, GGA=shift), "ERM", resamples=99))
    found = compared[["difference", "low", "high", "pairs_low", "pairs_high"]].tolist()
    assert found == pytest.approx([shift] * 5, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_exchanging_algorithm_and_baseline_changes_the_sign(seed):
    """Of the mean exactly, of the intervals up to the resampling; p stays."""
    results = grid(4, 3, seed, GGA=None)
    forth, back = row(compare(results, "ERM")), row(compare(results, "GGA"), "ERM")
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["p"] == pytest.approx(back["p"])
    assert forth[["low", "pairs_low"]].tolist() == pytest.approx((-back[["high", "pairs_high"]]).tolist(), abs=0.3)


def test_the_same_accuracies_are_no_difference():
    compared = row(compare(grid(4, 2, GGA=0), "ERM"))
    assert compared["difference"] == 0
    assert compared["p"] == 1


def test_holm_of_a_textbook_family():
    """0.01 x 4, then the largest so far of 0.02 x 3, 0.03 x 2, 0.04 x 1."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    corrected = holm([0.03, math.nan, 0.6, 0.8])
    assert corrected[[0, 2, 3]] == pytest.approx([0.09, 1, 1])
    assert math.isnan(corrected[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p_values):
    corrected = holm(p_values)
    order = np.argsort(p_values)
    assert (np.diff(corrected[order]) >= 0).all()
    assert (np.array(p_values) <= corrected).all()
    assert (corrected <= np.minimum(len(p_values) * np.array(p_values), 1)).all()


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    """In 200 samples of 20; a percentile interval of so few covers a little less than 95 %."""
    samples = np.random.default_rng(0).normal(1, 3, (200, 20))
    found = [interval(sample, resamples=499) for sample in samples]
    assert 0.87 < np.mean([low <= 1 <= high for low, high in found]) < 0.99


def test_over_environments_the_interval_covers_where_trials_depend_on_each_other_and_over_pairs_it_does_not():
    """Twelve environments, each with an effect of its own (standard deviation 2), five trials (0.5)."""
    generator = np.random.default_rng(1)
    covered = []
    for _ in range(100):
        effects = generator.normal(0, 2, 12)
        differences = effects[:, None] + generator.normal(0, 0.5, (12, 5))
        intervals = interval(differences.mean(axis=1), 299), interval(differences.ravel(), 299)
        covered.append([low <= 0 <= high for low, high in intervals])
    environments, pairs = np.mean(covered, axis=0)
    assert environments > 0.85
    assert pairs < 0.75


def test_trials_needed_by_the_tables_of_t():
    """Differences 0 and 2 in each of four environments: variance 2 within. Of two trials, 4 degrees of freedom:
    sqrt(8 / 2) = 2 is less than 2.776 + 0.941; of seven, 24 degrees: sqrt(28 / 2) = 3.742 is more than 2.064 + 0.857;
    the first is five, 16 degrees: sqrt(20 / 2) = 3.162 against 2.120 + 0.865, for four has 2.828 < 2.179 + 0.873.
    """
    places = pd.MultiIndex.from_product([["PACS"], range(4), range(2)], names=["dataset", "test_env", "trial_seed"])
    differences = pd.Series([0.0, 2.0] * 4, index=places)
    assert trials_needed(differences) == 5
    assert trials_needed(differences + 7) == 5
    assert trials_needed(10 * differences, points=10) == 5
    assert trials_needed(differences, points=0.5) > 15
    assert trials_needed(0 * differences) == 2
    assert math.isnan(trials_needed(differences[::2]))


def test_the_trials_needed_find_a_point_in_about_four_of_five_sweeps():
    from scipy import stats

    generator = np.random.default_rng(2)
    places = pd.MultiIndex.from_product([["PACS"], range(4), range(50)], names=["dataset", "test_env", "trial_seed"])
    needed = int(trials_needed(pd.Series(generator.normal(0, 2, 200), index=places)))
    sweeps = generator.normal(1, 2, (1000, 4 * needed))
    found = stats.ttest_1samp(sweeps, 0, axis=1).pvalue < 0.05
    assert 0.7 < found.mean() < 0.9


def test_differences_that_rounding_alone_tells_apart_have_one_rank():
    """Differences in tenths: 1 1 1 1 -1 1 3 2. Of 256 signs, 14 give a rank sum as far from its mean: p = 0.0547."""
    ours = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.3]
    baseline = [0.1, 0.2, 0.3, 0.4, 0.7, 0.6, 0.5, 0.1]
    differences = 100 * (np.array(ours) - np.array(baseline))
    exact = signed_rank_p(np.array([1, 1, 1, 1, -1, 1, 3, 2]))
    assert signed_rank_p(differences) == exact
