"""GGA as an algorithm around any other."""

import copy
import json
import logging
from dataclasses import asdict

import pytest
import torch
import torch.nn.functional as F
from builders import build, equal_states, minibatches, train
from torch import nn

from domainbed import hparams_registry
from domainbed.algorithms import get_algorithm_class
from domainbed.errors import InputError
from domainbed.scripts.train import main
from domainbed_gga.randomness import key
from domainbed_gga.search import anneal
from domainbed_gga.testbed import feature_extractor, prediction

METRICS = {"gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients", "gga_loss_rise"}


@pytest.mark.parametrize("proposal", ["walk", "best", "ascent"])
def test_the_search_is_the_one_that_the_hyperparameters_describe(proposal):
    """Dropout, minibatches of unequal sizes, no default values; noise by the step and the seed."""
    hparams = {"gga_proposal": proposal, "gga_rho": 0.002, "gga_loss_tolerance": 0.01, "mlp_dropout": 0.5}
    hparams |= {"gga_search_steps": 15, "gga_ascent_steps": 3, "gga_fixed_dropout": proposal != "walk"}
    annealed, twin = build("ERM_GGA", **hparams), build("ERM_GGA", **hparams)
    batches = [(x[: 2 + 2 * d], y[: 2 + 2 * d]) for d, (x, y) in enumerate(minibatches(0))]
    metrics = annealed.move_to_agreement(batches, step=7)
    found = anneal(
        lambda domain: F.cross_entropy(twin.predict(batches[domain][0]), batches[domain][1]),
        [2, 4, 6],
        dict(twin.base.featurizer.named_parameters()),
        list(twin.base.network.parameters()),
        rho=0.002,
        steps=3 if proposal == "ascent" else 15,
        tolerance=0.01,
        proposal=proposal,
        seed=key(int(twin.seed), 7),
        fixed_draws=proposal != "walk",
    )
    assert metrics == {f"gga_{name}": value for name, value in asdict(found).items()}
    assert found.accepted > 0
    assert equal_states(annealed.state_dict(), twin.state_dict())


def test_an_autocast_around_the_update_changes_nothing_in_the_search():
    """Half precision would hide what a perturbation does, and its copies of the weights do not follow them."""
    plain, cast = build("ERM_GGA", gga_search_steps=20), build("ERM_GGA", gga_search_steps=20)
    metrics = plain.move_to_agreement(minibatches(0), 1)
    with torch.autocast("cpu", torch.bfloat16):
        before = cast.predict(minibatches(0)[0][0])
        assert cast.move_to_agreement(minibatches(0), 1) == metrics
        assert metrics["gga_accepted"] > 0
        assert not torch.equal(cast.predict(minibatches(0)[0][0]), before)
    assert equal_states(plain.state_dict(), cast.state_dict())


def test_the_window_includes_both_ends():
    """Steps 3 to 5: three searches. By default, 100 to 200: 101."""
    algorithm = build("ERM_GGA", gga_start=3, gga_end=5)
    logged = train(algorithm, range(8))
    assert [metrics.keys() >= METRICS for metrics in logged] == [False] * 3 + [True] * 3 + [False] * 2
    assert ["gga_sim_noise" in metrics for metrics in logged] == [False] * 3 + [True] + [False] * 4
    defaults = build("ERM_GGA", gga_search_steps=0, gga_start=100, gga_end=200)
    defaults.update_count += 99
    assert sum("gga_sim_end" in metrics for metrics in train(defaults, range(99, 203))) == 101


def test_the_search_raises_the_similarity_and_counts_its_work():
    algorithm = build("ERM_GGA", gga_search_steps=20)
    for metrics in train(algorithm, range(3)):
        rose = metrics["gga_sim_end"] > metrics["gga_sim_start"]
        assert rose == (metrics["gga_accepted"] > 0)
        assert 2 * 20 <= metrics["gga_gradients"] <= 3 * 20
        assert metrics["gga_loss_rise"] < 0.1 * max(metrics["gga_accepted"], 1)


def test_only_the_feature_extractor_moves():
    """After the search and before the base's update."""
    algorithm = build("ERM_GGA", gga_rho=0.01, gga_search_steps=20, gga_loss_tolerance=10.0)
    before = {name: p.detach().clone() for name, p in algorithm.named_parameters()}
    algorithm.move_to_agreement(minibatches(0), 0)
    moved = {name for name, p in algorithm.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name in before if name.startswith("featurizer.")}


def test_batch_statistics_modes_and_optimizers_stay():
    algorithm = build("ERM_GGA", gga_rho=0.01)
    norm = nn.BatchNorm1d(CHANNELS := algorithm.base.featurizer.n_outputs)
    algorithm.base.featurizer.activation = nn.Sequential(norm, nn.BatchNorm1d(CHANNELS).eval())
    train(algorithm, range(2))
    modes = [part.training for part in algorithm.modules()]
    buffers = {name: b.clone() for name, b in algorithm.named_buffers()}
    optimizer = algorithm.base.optimizer.state_dict()
    gradients = [None if p.grad is None else p.grad.clone() for p in algorithm.parameters()]
    algorithm.move_to_agreement(minibatches(2), 0)
    assert [part.training for part in algorithm.modules()] == modes
    assert equal_states(dict(algorithm.named_buffers()), buffers)
    assert equal_states(algorithm.base.optimizer.state_dict(), optimizer)
    for parameter, before in zip(algorithm.parameters(), gradients, strict=True):
        assert (parameter.grad is None) == (before is None)
        assert before is None or torch.equal(parameter.grad, before)


def test_batch_statistics_return_when_the_search_is_broken_off(monkeypatch):
    algorithm = build("ERM_GGA", gga_rho=0.01)
    norm = algorithm.base.featurizer.activation = nn.BatchNorm1d(algorithm.base.featurizer.n_outputs)
    weights = [p.detach().clone() for p in algorithm.parameters()]
    calls = iter(range(100))

    def interrupted(x):
        if next(calls) == 20:
            raise KeyboardInterrupt
        return algorithm.base.network(x)

    monkeypatch.setattr(algorithm.base, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(algorithm, [0])
    assert torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))
    assert all(torch.equal(a, b) for a, b in zip(algorithm.parameters(), weights, strict=True))


class MovingMean(nn.Module):
    """Keeps a running mean by putting a new tensor in the old one's place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        return x - self.mean


def test_a_buffer_that_forward_passes_replace_returns():
    algorithm = build("ERM_GGA")
    layer = algorithm.base.featurizer.activation = MovingMean()
    buffer = layer.mean
    algorithm.move_to_agreement(minibatches(0), 0)
    assert layer.mean is buffer
    assert buffer == 0


def test_a_prediction_without_the_trained_weights_is_refused(monkeypatch):
    """An average of the weights, say: every cosine would be 0/0, and every search in vain."""
    algorithm = build("ERM_GGA")
    average = copy.deepcopy(algorithm.base.network)
    monkeypatch.setattr(algorithm.base, "predict", lambda x: average(x))
    with pytest.raises(ValueError, match="depends on none of the parameters"):
        train(algorithm, [0])


def test_the_search_computes_in_full_float32(monkeypatch):
    """Convolutions may use TF32 by default, before and after; at the base's update they may again."""
    algorithm = build("ERM_GGA")
    network, seen = algorithm.base.network, []

    def watching(x):
        seen.append(float32_settings())
        return network(x)

    monkeypatch.setattr(algorithm.base, "predict", watching)
    before = float32_settings()
    train(algorithm, [0])
    assert seen[0] != before
    assert set(seen[:-1]) == {seen[0]}
    assert seen[-1] == float32_settings() == before


def float32_settings():
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    if hasattr(cudnn, "conv"):
        return cudnn.conv.fp32_precision, matmul.fp32_precision
    return cudnn.allow_tf32, matmul.allow_tf32


@pytest.mark.parametrize("allow_tf32", [True, False])
def test_a_network_may_use_the_old_switches_inside_the_search(allow_tf32, monkeypatch):
    """Since PyTorch 2.9 they raise where they contradict the new ones."""
    algorithm = build("ERM_GGA")
    network, seen = algorithm.base.network, []

    def switching(x):
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=allow_tf32):
            return network(x)

    monkeypatch.setattr(algorithm.base, "predict", switching)
    train(algorithm, [0])
    assert set(seen[:-1]) == {(False, False)}


def test_one_training_domain_is_said_once_and_trained_by_the_base(caplog):
    with caplog.at_level(logging.WARNING):
        bare, wrapped = build("ERM", domains=1), build("ERM_GGA", domains=1)
        train(wrapped, range(3), domains=1)
    train(bare, range(3), domains=1)
    assert equal_states(bare.state_dict(), wrapped.base.state_dict())
    assert len([record for record in caplog.records if "one training domain" in record.message]) == 1


def test_a_frozen_feature_extractor_is_not_searched():
    algorithm = build("ERM_GGA")
    algorithm.base.featurizer.requires_grad_(False)
    assert "gga_sim_start" not in train(algorithm, [0])[0]


def test_noise_of_the_prediction_is_drawn_once_per_search():
    """MTL predicts with fresh noise; with ρ = 0 every candidate must tie with the start, so none is accepted."""
    assert [m["gga_accepted"] for m in train(build("MTL_GGA", gga_rho=0.0, gga_search_steps=10), range(3))] == [0.0] * 3


def test_the_noise_of_dropout_is_logged_once_per_window():
    with_dropout = build("ERM_GGA", mlp_dropout=0.5)
    without = build("ERM_GGA")
    assert train(with_dropout, [0])[0]["gga_sim_noise"] > 1e-3
    assert train(without, [0])[0]["gga_sim_noise"] == 0.0


def test_the_extractor_and_the_prediction_are_those_of_the_table():
    """ERM++ is searched with the network in training, not with its average; Fish, SagNet and ADRMX name their parts."""
    erm_plus_plus, fish = build("ERMPlusPlus"), build("Fish")
    assert prediction(erm_plus_plus) is erm_plus_plus.network
    assert feature_extractor(fish) is fish.network.net[0]
    sagnet, adrmx = build("SagNet"), build("ADRMX")
    assert feature_extractor(sagnet) is sagnet.network_f
    assert feature_extractor(adrmx) is adrmx.featurizer_label
    nested = build("ERM_GGA_L_GGA")
    assert feature_extractor(nested.innermost) is nested.base.base.featurizer
    with pytest.raises(InputError, match="no feature extractor found"):
        feature_extractor(nn.Linear(2, 2))


def test_an_operator_without_double_backward_falls_back_to_the_walk(monkeypatch, caplog):
    from test_ascent import OnceOnly

    algorithm = build("ERM_GGA", gga_proposal="ascent")
    network = algorithm.base.network
    monkeypatch.setattr(algorithm.base, "predict", lambda x: OnceOnly.apply(network(x)))
    first, second = train(algorithm, range(2))
    assert first["gga_gradients"] >= 2 * 4  # candidates of the walk
    assert second["gga_gradients"] >= 2 * 4
    assert [record.message.count("once_only_backward") for record in caplog.records] == [1]
    assert first["gga_fell_back"] == second["gga_fell_back"] == 1.0


def test_hparams_are_the_bases_unchanged_and_the_wrappers_own():
    added = {"gga_start", "gga_end", "gga_rho", "gga_search_steps", "gga_ascent_steps"}
    added |= {"gga_loss_tolerance", "gga_proposal", "gga_fixed_dropout"}
    for base in ("CORAL", "GroupDRO"):
        for draw in (hparams_registry.default_hparams, lambda *a: hparams_registry.random_hparams(*a, 7)):
            bare, wrapped = draw(base, "PACS"), draw(f"{base}_GGA", "PACS")
            assert {name: wrapped[name] for name in bare} == bare
            assert wrapped.keys() - bare.keys() == added
    assert hparams_registry.default_hparams("GGA", "VLCS")["gga_rho"] == 1e-6
    assert hparams_registry.default_hparams("GGA", "PACS")["gga_rho"] == 1e-5
    ends = {hparams_registry.random_hparams("GGA", "PACS", seed)["gga_end"] for seed in range(20)}
    assert ends == {150, 200, 300}


def test_an_unknown_proposal_is_refused_at_once():
    with pytest.raises(InputError, match="walk, best, ascent"):
        build("ERM_GGA", gga_proposal="wander")


def test_an_empty_window_is_refused_at_once_also_within_a_combination():
    with pytest.raises(InputError, match=r"gga_end \(2\) is before gga_start \(3\)"):
        build("ERM_GGA_GGA_L", gga_start=3, gga_end=2)
    build("ERM_GGA", gga_start=3, gga_end=3)


@pytest.mark.parametrize(
    ("name", "value", "requirement"),
    [
        ("gga_rho", -1e-5, "at least 0"),
        ("gga_search_steps", -1, "at least 0"),
        ("gga_start", -1, "at least 0"),
        ("gga_loss_tolerance", -0.1, "at least 0"),
        ("gga_proposal", "wander", "walk"),
        ("gga_l_noise", "pink", "uniform"),
        ("gga_end", 50, "before gga_start"),
    ],
)
def test_a_hyperparameter_out_of_range_is_one_line_and_exit_2(name, value, requirement, capsys, tmp_path):
    given = ["--dataset", "Debug28", "--algorithm", "ERM_GGA_GGA_L", "--output_dir", str(tmp_path / "run")]
    assert main([*given, "--hparams", json.dumps({name: value})]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
    assert requirement in error
    assert not (tmp_path / "run").exists()


def test_noise_of_ones_moves_every_weight_by_rho():
    """Each accepted candidate of `best` adds ρ to every weight of the feature extractor."""
    algorithm = build("ERM_GGA", gga_proposal="best", gga_rho=0.25, gga_search_steps=3, gga_loss_tolerance=1e9)
    asked = []

    def ones(candidate, name, shape):
        asked.append((candidate, name))
        return torch.ones(shape)

    algorithm.noise = ones
    features = algorithm.base.featurizer
    before = {name: p.detach().clone() for name, p in features.named_parameters()}
    accepted = algorithm.move_to_agreement(minibatches(0), 1)["gga_accepted"]
    assert accepted > 0
    assert asked == [(candidate, name) for candidate in range(3) for name in before]
    for name, parameter in features.named_parameters():
        torch.testing.assert_close(parameter, before[name] + 0.25 * accepted)


def test_the_default_class_wraps_erm():
    assert get_algorithm_class("GGA").BASE is get_algorithm_class("ERM")
