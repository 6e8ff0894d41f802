"""ARM, MTL, Transfer, ERM++: what surrounds a prediction or a schedule."""

import math

import pytest
import torch
from small import data, small, weights

from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.transfer import distance, proj
from domainbed.errors import InputError

IMAGES = (2, 28, 28)


def test_arm_shares_a_context_within_each_group_alone():
    algorithm = small("ARM", shape=IMAGES, batch_size=3).eval()
    (x, _), *_ = data(6, shape=IMAGES)
    with torch.no_grad():
        logits = algorithm.predict(x)
        x[5] += 1
        changed = algorithm.predict(x)
        alone = algorithm.predict(x[:3])
    assert torch.allclose(changed[:3], logits[:3])
    assert not torch.isclose(changed[3:], logits[3:]).all(dim=1).any()
    assert torch.allclose(alone, logits[:3])


def test_arm_takes_all_samples_as_one_group_where_groups_do_not_divide_them():
    algorithm = small("ARM", shape=IMAGES, batch_size=3).eval()
    (x, _), *_ = data(4, shape=IMAGES)
    with torch.no_grad():
        logits = algorithm.predict(x)
        order = [3, 1, 0, 2]
        assert torch.allclose(algorithm.predict(x[order]), logits[order])


def test_arm_context_network_keeps_its_weights():
    algorithm = small("ARM", shape=IMAGES, batch_size=3)
    before = weights(algorithm.context_net)
    algorithm.update(data(3, 3, shape=IMAGES))
    assert torch.equal(weights(algorithm.context_net), before)


def test_arm_refuses_vectors():
    with pytest.raises(InputError, match="ARM takes images"):
        small("ARM", shape=(4,))


def test_mtl_keeps_a_moving_average_of_each_domains_mean_features():
    algorithm = small("MTL", mtl_ema=0.25)
    batches = data(6, 4)
    means = [algorithm.featurizer(x).mean(0) for x, _ in batches]
    algorithm.update(batches)
    assert torch.allclose(algorithm.embeddings, 0.25 * torch.stack(means))
    before = algorithm.embeddings.clone()
    mean = algorithm.featurizer(batches[1][0]).mean(0)
    algorithm(batches[1][0], env=1)
    assert torch.allclose(algorithm.embeddings[0], before[0])
    assert torch.allclose(algorithm.embeddings[1], 0.25 * mean + 0.75 * before[1])


def test_mtl_predicts_with_noise_that_the_generator_decides():
    algorithm = small("MTL").eval()
    (x, _), *_ = data(4)
    predictions = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        predictions.append(algorithm.predict(x))
    assert torch.equal(predictions[0], predictions[1])
    assert not torch.equal(predictions[0], predictions[2])


def test_transfer_projects_onto_the_ball_and_leaves_what_is_inside():
    centre, outside = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    apart = distance(outside, centre).item()
    before = weights(outside)
    proj(2 * apart, outside, centre)
    assert torch.equal(weights(outside), before)
    proj(apart / 4, outside, centre)
    assert distance(outside, centre).item() == pytest.approx(apart / 4)
    assert torch.allclose(weights(outside), weights(centre) + (before - weights(centre)) / 4)


def test_transfer_adversary_stays_near_the_classifier_and_widens_the_gap():
    algorithm = small("Transfer", domains=3, delta=0.05, lr_d=1.0, d_steps_per_g=5)
    batches = data(6, 5, 4)
    algorithm.update(batches)
    assert distance(algorithm.adv_classifier, algorithm.classifier).item() <= 0.05 * (1 + 1e-9)
    features = [algorithm.featurizer(x) for x, _ in batches]
    widened = algorithm.weighted_gap(features, batches)
    algorithm.adv_classifier.load_state_dict(algorithm.classifier.state_dict())
    assert widened > algorithm.weighted_gap(features, batches)


def test_transfer_with_one_domain_has_no_gap():
    assert small("Transfer", domains=1).update(data(6))["gap"] == 0


def test_transfer_steps_the_classifier_once_and_the_features_twice():
    algorithm = small("Transfer")
    algorithm.update(data(6, 5))
    steps = {id(p): int(state["step"]) for p, state in algorithm.optimizer.state.items()}
    assert {steps[id(p)] for p in algorithm.classifier.parameters()} == {1}
    assert {steps[id(p)] for p in algorithm.featurizer.parameters()} == {2}


def test_transfer_learns_with_gradient_descent_ascent():
    algorithm = small("Transfer", gda=True, lr=0.1)
    before = weights(algorithm.classifier), weights(algorithm.featurizer)
    algorithm.update(data(6, 5))
    assert not torch.equal(weights(algorithm.classifier), before[0])
    assert not torch.equal(weights(algorithm.featurizer), before[1])


def test_transfer_runs_the_network_as_often_as_its_state_requires():
    """d_steps_per_g passes over each domain move batch statistics; without any, one pass is enough."""
    for shape, passes in [((4,), 1 + 2 + 2), ((1, 32, 32), 1 + 2 + 2 * 3)]:
        algorithm = small("Transfer", shape=shape, d_steps_per_g=3)
        calls = []
        algorithm.featurizer.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        algorithm.update(data(2, 2, shape=shape))
        assert len(calls) == passes


def test_ermplusplus_learns_the_classifier_alone_first():
    algorithm = small("ERMPlusPlus", linear_steps=1)
    start = weights(algorithm.featurizer)
    for _ in range(2):
        before = weights(algorithm.classifier)
        algorithm.update(data(6, 5))
        assert torch.equal(weights(algorithm.featurizer), start)
        assert not torch.equal(weights(algorithm.classifier), before)
    algorithm.update(data(6, 5))
    assert not torch.equal(weights(algorithm.featurizer), start)


def test_ermplusplus_predicts_with_the_average():
    algorithm = small("ERMPlusPlus")
    algorithm.update(data(6, 5))
    x, _ = pool(data(3, 3))
    current = algorithm.network(x)
    assert torch.equal(algorithm.predict(x), current)  # the average copies the network at first
    with torch.no_grad():
        algorithm.network[1].weight.zero_()
    assert torch.equal(algorithm.predict(x), current)


def plateau_then_stop(algorithm, loaders):
    """Call set_lr on losses that never improve until it says that training should stop."""
    for _ in range(20):
        schedule = algorithm.set_lr(loaders)
        if schedule[-1] == [0.0]:
            return [entry[0] for entry in schedule]
    raise AssertionError("it never stops")


@pytest.mark.parametrize("lars", [False, True])
def test_ermplusplus_lowers_the_rate_on_plateaus_and_stops_at_the_third(lars):
    """With patience 1 every second bad checkpoint divides the rate by ten; the third division means stop."""
    algorithm = small("ERMPlusPlus", linear_steps=0, lr=1.0, lars=lars)
    loaders = [data(4, 4), data(4)]
    assert algorithm.set_lr(loaders) is None  # the classifier learns alone
    algorithm.update(data(6, 5))
    rates = plateau_then_stop(algorithm, loaders)
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0])


def test_ermplusplus_replays_a_schedule_and_survives_its_end():
    algorithm = small("ERMPlusPlus", linear_steps=0)
    algorithm.update(data(6, 5))
    rest = algorithm.set_lr(schedule=[[0.5], [0.25]])
    assert algorithm.optimizer.param_groups[0]["lr"] == 0.5
    rest = algorithm.set_lr(schedule=rest)
    assert algorithm.optimizer.param_groups[0]["lr"] == 0.25
    assert algorithm.set_lr(schedule=rest) == []
    assert algorithm.set_lr() is None
    assert math.isclose(algorithm.optimizer.param_groups[0]["lr"], 0.25)
