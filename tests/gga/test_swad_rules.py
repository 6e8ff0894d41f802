"""SWAD's two rules on loss curves, against the shares that the published rules give each segment, by hand."""

import pytest
import torch
from torch import nn

from domainbed_gga.averages import Average, IIDMax, LossValley


def segment(place: int, n: int, loss: float = 0.0) -> Average:
    """Evaluation `place` of n: the weights are a unit vector, so that an average shows the share of every segment."""
    average = Average({"w": torch.zeros(n, dtype=torch.float64)}, {})
    average.add({"w": torch.eye(n, dtype=torch.float64)[place]}, 10 * place - 9, 10 * place)
    average.loss = loss
    return average


def run(losses: list[float], n_converge: int = 3, n_tolerance: int = 6, resumed_at: int = -1) -> LossValley:
    rule = LossValley(n_converge, n_tolerance, 0.3)
    for place, loss in enumerate(losses):
        if place == resumed_at:
            rule, saved = LossValley(n_converge, n_tolerance, 0.3), rule.state_dict()
            rule.load_state_dict(saved)
        rule.evaluated(segment(place, len(losses), loss), 0.0, lambda average: 0.0)
    return rule


def shares(average: Average) -> dict[int, int]:
    counts = average.parameters["w"] * average.count
    return {place: round(count) for place, count in enumerate(counts.tolist()) if round(count)}


def each_once(first: int, last: int) -> dict[int, int]:
    return dict.fromkeys(range(first, last + 1), 1)


CURVES = {
    "full queue": ([1.3, 1.2, 1.15, 1.12, 1.1, 1.05, 1, 1.1, 1.2, *[1.1] * 5], each_once(4, 13) | {6: 2}),
    "predecessor above the threshold": ([5, 4, 3, 2, 1, 1.1, 1.2, *[1.1] * 6], each_once(4, 12)),
    "converges at once": ([1, 1.2, 1.3, 1.2, 1.1, 1.3, 1.2, 1.1, 1.2, 1.1], each_once(3, 9) | {0: 3, 1: 2, 2: 2}),
    "converges at the last evaluation": ([6, 5, 4, 3, 2, 1, 1.1, 1.2], each_once(3, 7)),
    "valley ends": ([5, 4, 3, 2, 1, 1.1, 1.2, *[3] * 6], each_once(4, 6)),
    "tail above the threshold": ([5, 4, 3, 2, 1, 1.1, 1.2, 1.1, 1.1, 3, 3, 3], each_once(4, 8)),
    "two minima, the second in the valley of the first": (
        [5, 4, 3, 2, 1, 1.1, 1.2, 1.3, 1.1, 0.9, 1.0, 1.1, 1.2],
        each_once(4, 12),
    ),
    "two minima, the second beyond a ridge as wide as the tolerance": (
        [5, 4, 3, 2, 1, 1.1, 1.2, *[3] * 6, 0.5, 0.6, 0.7],
        each_once(4, 6),
    ),
    "a ridge less wide than the tolerance is averaged": (
        [5, 4, 3, 2, 1, 1.1, 1.2, 3, 3, 3, 1, 1.1, 1.2],
        each_once(4, 12),
    ),
}


@pytest.mark.parametrize(("losses", "expected"), CURVES.values(), ids=CURVES)
def test_segments_of_a_loss_curve(losses, expected):
    result = run(losses).result()
    assert shares(result) == expected
    assert result.count == sum(expected.values())


@pytest.mark.parametrize(("losses", "expected"), CURVES.values(), ids=CURVES)
def test_a_rule_that_is_saved_and_loaded_goes_on_as_before(losses, expected):
    for place in range(1, len(losses)):
        assert shares(run(losses, resumed_at=place).result()) == expected


def test_a_loss_that_never_converges_gives_the_last_segment(caplog):
    rule = run([5, 4, 3, 2, 1])
    assert shares(rule.result()) == {4: 1}
    assert not rule.ended
    assert "never converged" in caplog.text
    assert "--steps" in caplog.text
    assert "--checkpoint_freq" in caplog.text


def test_training_ends_with_the_valley_alone():
    losses, _ = CURVES["valley ends"]
    assert run(losses).ended
    assert not run(losses[:-1]).ended


def test_a_tolerance_below_the_convergence_takes_in_what_its_queue_has_lost():
    """n_converge 4, n_tolerance 2, losses 2 1 1.1 1.2 1.1: converged at 4 with k = 1.

    Its entries 1 and 2 are segments 2 and 3, added at once; the queue of tolerance is 3, 4 then, whose 4 the end adds.
    """
    assert shares(run([2, 1, 1.1, 1.2, 1.1], 4, 2).result()) == {2: 1, 3: 1, 4: 1}


def test_the_result_can_be_asked_for_twice():
    rule = run(CURVES["full queue"][0])
    assert torch.equal(rule.result().parameters["w"], rule.result().parameters["w"])


def test_the_threshold_is_the_mean_of_the_converged_losses_times_1_plus_the_ratio():
    assert run([1, 1.2, 1.3]).threshold == pytest.approx(1.51667, abs=1e-5)


def maximum(accuracies: list[float], of_averages: list[float]) -> IIDMax:
    rule, measured = IIDMax(), iter(of_averages)
    for place, accuracy in enumerate(accuracies):
        rule.evaluated(segment(place, len(accuracies)), accuracy, lambda average: next(measured))
    return rule


def test_iid_max_averages_from_the_best_accuracy_and_keeps_the_best_average():
    """0.7 starts an average at 1, which takes in 2; 0.8 starts another at 3, whose mean with 4 is the best one."""
    rule = maximum([0.5, 0.7, 0.6, 0.8, 0.7, 0.7], [0.5, 0.7, 0.75, 0.8, 0.9, 0.85])
    assert shares(rule.result()) == {3: 1, 4: 1}


def test_iid_max_of_equal_accuracies_starts_once():
    assert shares(maximum([0.5, 0.5, 0.5], [0.5, 0.6, 0.7]).result()) == {0: 1, 1: 1, 2: 1}


def test_iid_max_does_without_a_single_hit():
    assert shares(maximum([0.0, 0.0], [0.0, 0.0]).result()) == {0: 1}


def test_iid_max_that_is_saved_and_loaded_goes_on_as_before():
    rule = maximum([0.5, 0.7], [0.5, 0.7])
    other = IIDMax()
    other.load_state_dict(rule.state_dict())
    for one in (rule, other):
        one.evaluated(segment(1, 2), 0.6, lambda average: 0.9)
    assert torch.equal(rule.result().parameters["w"], other.result().parameters["w"])
    assert rule.result().count == other.result().count == 2


def test_an_average_is_the_mean_of_its_moments_and_keeps_the_buffers_of_its_creation():
    network = nn.BatchNorm1d(3).double()
    average = Average.of(network)
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    moments = []
    for step in range(5):
        for tensor in (network.weight.data, network.bias.data, network.running_mean):
            tensor.normal_()
        moments.append(torch.cat([network.weight.detach(), network.bias.detach()]))
        average.add(dict(network.named_parameters()), step, step)
    average.load_into(network)
    torch.testing.assert_close(torch.cat([network.weight, network.bias]), torch.stack(moments).mean(0))
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in network.named_buffers())
    assert (average.start_step, average.end_step) == (0, 4)
