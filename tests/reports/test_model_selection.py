"""The values of DomainBed's own tests, and the rules for ties, NaN and missing runs."""

import math

import pytest
from handmade import make_record
from hypothesis import given
from hypothesis import strategies as st

from domainbed.reports.grouping import merge_records
from domainbed.reports.query import Q
from domainbed.reports.selection import (
    IIDAccuracySelectionMethod,
    IIDAutoLRAccuracySelectionMethod,
    LeaveOneOutSelectionMethod,
    OracleSelectionMethod,
    SelectionMethod,
    get_test_records,
)

METHODS = [
    IIDAccuracySelectionMethod,
    IIDAutoLRAccuracySelectionMethod,
    LeaveOneOutSelectionMethod,
    OracleSelectionMethod,
]


def single(step, test_in, held_out, hparams_seed=0):
    """Environment 0 is the test environment; two training environments have the out accuracy `held_out`."""
    return make_record(step, [(test_in, held_out, True), (0.0, held_out, False), (0.0, held_out, False)], hparams_seed)


def pair(step, env, in_acc, hparams_seed=0):
    """Environments 0 and `env` of three are held out; `env` has the in accuracy `in_acc`."""
    environments = [(0.0, 0.0, True)] + [(in_acc if e == env else 0.0, 0.0, e == env) for e in (1, 2)]
    return make_record(step, environments, hparams_seed)


@pytest.mark.parametrize("method", [SelectionMethod, *METHODS])
def test_methods_are_not_instantiated(method):
    with pytest.raises(TypeError):
        method()


def test_names():
    assert [method.name for method in METHODS] == [
        "training-domain validation set",
        "auto lr training-domain validation set",
        "leave-one-domain-out cross-validation",
        "test-domain validation set (oracle)",
    ]


def test_test_records_have_one_test_environment():
    records = Q([single(0, 0.1, 0.2), pair(0, 1, 0.5)])
    assert get_test_records(records) == records[:1]


def test_training_domain_validation_averages_the_training_environments():
    """Means of (0.6, 0.7) and (0.7, 0.8) are 0.65 and 0.75."""
    records = Q(
        [
            make_record(0, [(0.1, 0.0, True), (0.0, 0.6, False), (0.0, 0.7, False)]),
            make_record(1, [(0.3, 0.0, True), (0.0, 0.7, False), (0.0, 0.8, False)]),
        ]
    )
    assert IIDAccuracySelectionMethod.run_acc(records) == pytest.approx({"val_acc": 0.75, "test_acc": 0.3})


def test_training_domain_validation_keeps_the_first_of_equal_steps_and_ignores_pairs():
    records = Q([pair(0, 1, 0.9), single(1, 0.1, 0.5), single(2, 0.2, 0.5)])
    assert IIDAccuracySelectionMethod.run_acc(records) == {"val_acc": 0.5, "test_acc": 0.1}


def test_an_environment_without_out_split_does_not_hide_the_ones_after_it():
    record = make_record(0, [(0.3, 0.0, True), (0.0, 0.0, False), (0.0, 0.8, False)])
    del record["env1_out_acc"]
    assert IIDAccuracySelectionMethod.run_acc(Q([record])) == {"val_acc": 0.8, "test_acc": 0.3}
    del record["env2_out_acc"]
    assert IIDAccuracySelectionMethod.run_acc(Q([record])) is None


def test_oracle_takes_the_last_step_even_if_it_is_worse():
    training = (0.0, 0.0, False)
    records = Q([make_record(1, [(0.65, 0.60, True), training]), make_record(0, [(0.75, 0.70, True), training])])
    assert OracleSelectionMethod.run_acc(records) == {"val_acc": 0.60, "test_acc": 0.65}


def test_leave_one_out_averages_the_scores_of_the_pairs():
    """(0.5 + 0.6) / 2 = 0.55."""
    records = Q([single(0, 0.1, 0.0), pair(0, 1, 0.5), pair(0, 2, 0.6)])
    assert LeaveOneOutSelectionMethod.run_acc(records) == pytest.approx({"val_acc": 0.55, "test_acc": 0.1})


def test_leave_one_out_needs_every_pair():
    assert LeaveOneOutSelectionMethod.run_acc(Q([single(0, 0.1, 0.0), pair(0, 1, 0.5)])) is None


def test_leave_one_out_drops_steps_that_lack_a_run():
    """Step 1 has the better score but no run with a single test environment."""
    records = [single(0, 0.1, 0.0), pair(0, 1, 0.5), pair(0, 2, 0.6), pair(1, 1, 0.9), pair(1, 2, 0.9)]
    assert LeaveOneOutSelectionMethod.run_acc(Q(records))["test_acc"] == 0.1


def test_auto_lr_reports_the_model_trained_on_all_data():
    stage1 = single(0, 0.1, 0.7)
    stage2 = {"args": stage1["args"] | {"holdout_fraction": 0.0}, "fd_env0_in_acc": 0.4}
    records = Q([stage1, stage2])
    expected = {"val_acc": 0.7, "test_acc": 0.4}
    assert IIDAutoLRAccuracySelectionMethod.run_acc(merge_records(records)) == pytest.approx(expected)
    assert IIDAutoLRAccuracySelectionMethod.run_acc(Q([stage1])) is None


@pytest.mark.parametrize("method", METHODS)
def test_no_records_give_no_accuracy(method):
    assert method.run_acc(Q([])) is None
    assert method.sweep_acc(Q([])) is None


def test_of_equal_hparams_the_larger_seed_comes_first():
    records = Q([single(0, 0.1, 0.5, 0), single(0, 0.2, 0.5, 1), single(0, 0.3, 0.4, 2)])
    assert [accuracies["test_acc"] for accuracies, _ in IIDAccuracySelectionMethod.hparams_accs(records)] == [
        0.2,
        0.1,
        0.3,
    ]
    assert IIDAccuracySelectionMethod.sweep_acc(records) == 0.2


@pytest.mark.parametrize("method", [IIDAccuracySelectionMethod, OracleSelectionMethod])
def test_a_nan_validation_accuracy_is_the_worst(method):
    records = Q([single(0, 0.1, math.nan, 2), single(0, 0.2, 0.3, 1), single(0, 0.9, math.nan, 0)])
    assert [accuracies["test_acc"] for accuracies, _ in method.hparams_accs(records)] == [0.2, 0.1, 0.9]


def test_a_nan_in_the_first_record_does_not_win_the_run():
    records = Q([single(0, 0.1, math.nan), single(1, 0.2, 0.3)])
    assert IIDAccuracySelectionMethod.run_acc(records)["test_acc"] == 0.2


@given(st.permutations(range(6)))
def test_the_order_of_files_does_not_matter(order):
    records = [single(step, 0.1 * step, [0.3, 0.5, 0.4][step], seed) for seed in (0, 1) for step in range(3)]
    shuffled = Q(records[index] for index in order)
    for method in (IIDAccuracySelectionMethod, OracleSelectionMethod):
        assert method.sweep_acc(shuffled) == method.sweep_acc(Q(records))
