"""Methods that look at the domains' risks: IRM, V-REx, IB, GroupDRO, RDM, EQRM, SD, Mixup."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import seed_all
from small import data, gradient_of, gradients, small, weights

from domainbed.algorithms.irm import irm_penalty
from domainbed.algorithms.minibatches import mean, pool

THRESHOLDS = {
    "IRM": "irm_penalty_anneal_iters",
    "VREx": "vrex_penalty_anneal_iters",
    "IB_ERM": "ib_penalty_anneal_iters",
    "Fishr": "penalty_anneal_iters",
    "RDM": "rdm_penalty_anneal_iters",
    "EQRM": "eqrm_burnin_iters",
}


def risks_of(algorithm, minibatches) -> torch.Tensor:
    return torch.stack([F.cross_entropy(algorithm.predict(x), y) for x, y in minibatches])


def test_irm_penalty_is_the_product_of_the_scale_gradients_of_independent_halves():
    """d/ds CE(s o, y) at s = 1 is the mean of Σ_k p_k o_k - o_y."""
    logits = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    slopes = (logits.softmax(1) * logits).sum(1) - logits[torch.arange(7), y]
    expected = slopes[0::2].mean() * slopes[1::2].mean()
    assert irm_penalty(logits, y).item() == pytest.approx(expected.item())


def test_vrex_penalty_is_the_variance_of_the_domain_risks_and_nll_the_last_one():
    algorithm, minibatches = small("VREx"), data(4, 6, 5)
    risks = risks_of(algorithm, minibatches)
    got = algorithm.update(minibatches)
    assert got["penalty"] == pytest.approx(risks.var(correction=0).item())
    assert got["nll"] == pytest.approx(risks[-1].item())
    assert got["loss"] == pytest.approx((risks.mean() + risks.var(correction=0)).item())


def test_information_bottleneck_is_the_mean_variance_of_the_features_within_domains():
    algorithm, minibatches = small("IB_ERM", ib_penalty_anneal_iters=0, ib_lambda=3.0), data(4, 6, 5)
    variance = torch.stack([algorithm.featurizer(x).var(0).mean() for x, _ in minibatches]).mean()
    expected = risks_of(algorithm, minibatches).mean() + 3 * variance
    got = algorithm.update(minibatches)
    assert got["IB_penalty"] == pytest.approx(variance.item())
    assert got["loss"] == got["nll"] == pytest.approx(expected.item())


def test_ib_irm_adds_both_penalties_each_from_its_own_update_on():
    minibatches = data(4, 6, 5)
    settings = {"irm_penalty_anneal_iters": 2, "ib_penalty_anneal_iters": 1, "irm_lambda": 7.0, "ib_lambda": 3.0}
    algorithm = small("IB_IRM", **settings)
    for irm, ib in ((1, 0), (1, 3), (7, 3)):
        nll = risks_of(algorithm, minibatches).mean().item()
        got = algorithm.update(minibatches)
        assert got["loss"] == pytest.approx(nll + irm * got["IRM_penalty"] + ib * got["IB_penalty"])


def test_group_weights_stay_on_the_simplex_and_favour_the_worst_domain():
    algorithm, minibatches = small("GroupDRO", groupdro_eta=0.5, lr=0.0), data(4, 6, 5)
    risks = risks_of(algorithm, minibatches)
    for updates in (1, 2):
        loss = algorithm.update(minibatches)["loss"]
        torch.testing.assert_close(algorithm.q, (0.5 * updates * risks).softmax(0).detach())
        assert loss == pytest.approx((algorithm.q @ risks).item())
    assert algorithm.q.argmax() == risks.argmax()


def test_rdm_matches_the_worst_domain_with_all_and_needs_no_equal_sizes():
    algorithm = small("RDM", rdm_penalty_anneal_iters=0, rdm_lambda=2.0, variance_weight=0.5)
    minibatches = data(4, 6, 5)
    samples = [F.cross_entropy(algorithm.predict(x), y, reduction="none") for x, y in minibatches]
    worst, everybody = max(samples, key=torch.mean), torch.cat(samples)
    got = algorithm.update(minibatches)
    assert got["variance_penalty"] == pytest.approx((worst.var() + everybody.var()).item())
    assert got["total_loss"] == pytest.approx(
        got["erm_loss"] + 2 * got["matching_penalty"] + 0.5 * got["variance_penalty"]
    )
    assert algorithm.optimizer.param_groups[0]["lr"] == 1.5e-5


def test_rdm_with_one_domain_has_nothing_to_match():
    got = small("RDM", domains=1, rdm_penalty_anneal_iters=0).update(data(6))
    assert abs(got["matching_penalty"]) < 1e-12


def test_eqrm_minimises_a_quantile_whose_gradient_favours_the_worst_domain():
    algorithm = small("EQRM", eqrm_burnin_iters=0, eqrm_quantile=0.9)
    risks = torch.tensor([0.5, 1.0, 1.2], dtype=torch.float64, requires_grad=True)
    algorithm.quantile(risks).backward()
    assert risks.grad.sum().item() == pytest.approx(1)
    assert risks.grad.argmax() == 2


def test_eqrm_with_one_domain_is_erm_until_and_after_the_burn_in():
    algorithm, erm = small("EQRM", domains=1, eqrm_burnin_iters=1), small("ERM", domains=1)
    for step in range(2):
        minibatches = data(6, seed=step)
        assert algorithm.update(minibatches)["loss"] == pytest.approx(erm.update(minibatches)["loss"])


def test_eqrm_keeps_nothing_of_the_update_s_graph():
    algorithm = small("EQRM", eqrm_burnin_iters=0)
    algorithm.update(data(4, 6, 5))
    assert not hasattr(algorithm.dist, "data")


def test_spectral_decoupling_shrinks_the_logits():
    algorithm, minibatches = small("SD", sd_reg=1e3, lr=1e-2), data(8, 8, 8)
    before = algorithm.predict(pool(minibatches)[0]).square().mean().item()
    assert algorithm.update(minibatches)["penalty"] == pytest.approx(before)
    assert algorithm.update(minibatches)["penalty"] < before


def test_mixup_s_objective_is_linear_in_the_share_of_the_labels():
    """At equal images the mixture is one image, and only the labels are mixed."""
    algorithm, minibatches = small("Mixup"), data(6, 6)
    first, (_, labels) = minibatches
    second = (first[0], labels)
    ends = [algorithm.mixed_risk(first, second, share) for share in (0.0, 1.0)]
    torch.testing.assert_close(algorithm.mixed_risk(first, second, 0.3), 0.7 * ends[0] + 0.3 * ends[1])


def test_mixup_draws_one_beta_per_pair():
    algorithm, minibatches = small("Mixup", mixup_alpha=0.4), data(6, 6, 6)
    seed_all(5)
    order = torch.randperm(3).tolist()
    pairs = [(minibatches[order[i]], minibatches[order[(i + 1) % 3]]) for i in range(3)]
    expected = mean([algorithm.mixed_risk(*pair, np.random.beta(0.4, 0.4)) for pair in pairs])
    seed_all(5)
    assert algorithm.update(minibatches)["loss"] == pytest.approx(expected.item())


@pytest.mark.parametrize(("name", "threshold"), THRESHOLDS.items())
def test_adam_starts_anew_at_the_update_that_crosses_the_threshold(name, threshold):
    algorithm = small(name, **{threshold: 2})
    optimizers = [algorithm.optimizer]
    for step in range(4):
        algorithm.update(data(6, 6, 6, seed=step))
        optimizers.append(algorithm.optimizer)
    assert [a is b for a, b in pairwise(optimizers)] == [True, True, False, True]
    assert algorithm.update_count.tolist() == [4]


def test_a_burn_in_between_two_updates_ends_at_the_next_one():
    algorithm = small("EQRM", eqrm_burnin_iters=0.5, eqrm_lr=1e-9)
    algorithm.update(data(6, 6, 6))
    before = weights(algorithm)
    algorithm.update(data(6, 6, 6))
    assert 0 < (weights(algorithm) - before).abs().max() < 1e-8


def test_the_penalty_weighs_one_before_the_threshold_and_lambda_after_it():
    minibatches = data(6, 6, 6)
    algorithm = small("IRM", irm_penalty_anneal_iters=1, irm_lambda=50.0)
    for weight in (1, 50):
        got = algorithm.update(minibatches)
        assert got["loss"] == pytest.approx(got["nll"] + weight * got["penalty"])


def test_the_step_follows_the_gradient_of_the_stated_objective():
    algorithm, minibatches = small("VREx", vrex_penalty_anneal_iters=0, vrex_lambda=4.0), data(4, 6, 5)
    risks = risks_of(algorithm, minibatches)
    expected = gradient_of(risks.mean() + 4 * risks.var(correction=0), algorithm)
    algorithm.update(minibatches)
    torch.testing.assert_close(gradients(algorithm), expected)
    assert math.isfinite(expected.norm())
