"""Methods that match feature distributions: CORAL, MMD, CausIRL."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import seed_all
from small import data, small

from domainbed.algorithms.kernels import coral_distance, gaussian_mmd

DISTANCES = {"CORAL": coral_distance, "MMD": gaussian_mmd}


@pytest.mark.parametrize("name", DISTANCES)
def test_domains_with_equal_features_cost_nothing(name):
    same = data(6)[0]
    assert abs(small(name).update([same] * 3)["penalty"]) < 1e-12


@pytest.mark.parametrize(("name", "distance"), DISTANCES.items())
def test_the_penalty_is_the_mean_over_pairs_and_reported_apart(name, distance):
    algorithm, minibatches = small(name), data(4, 6, 5)
    a, b, c = (algorithm.featurizer(x) for x, _ in minibatches)
    pairs = distance(a, b) + distance(a, c) + distance(b, c)
    risks = [F.cross_entropy(algorithm.predict(x), y).item() for x, y in minibatches]
    got = algorithm.update(minibatches)
    assert got["penalty"] == pytest.approx(pairs.item() / 3)
    assert got["loss"] == pytest.approx(sum(risks) / 3)


@pytest.mark.parametrize("name", DISTANCES)
def test_without_a_weight_it_is_the_mean_risk_alone(name):
    algorithm, erm, minibatches = small(name, mmd_gamma=0.0), small("ERM"), data(6, 6, 6)
    assert algorithm.update(minibatches)["loss"] == pytest.approx(erm.update(minibatches)["loss"])
    torch.testing.assert_close(algorithm.classifier.weight, erm.classifier.weight)


@pytest.mark.parametrize(("name", "distance"), DISTANCES.items())
def test_causirl_compares_a_random_head_of_every_domain_with_the_rest(name, distance):
    algorithm, minibatches = small(f"CausIRL_{name}"), data(4, 6, 5)
    features = [algorithm.featurizer(x) for x, _ in minibatches]
    seed_all(3)
    cuts = [np.random.randint(0, n) for n in (4, 6, 5)]
    heads = torch.cat([z[:cut] for z, cut in zip(features, cuts, strict=True)])
    tails = torch.cat([z[cut:] for z, cut in zip(features, cuts, strict=True)])
    seed_all(3)
    assert algorithm.update(minibatches)["penalty"] == pytest.approx(distance(heads, tails).item())


def test_causirl_with_single_samples_has_nothing_to_compare():
    assert small("CausIRL_MMD").update(data(1, 1, 1))["penalty"] == 0
