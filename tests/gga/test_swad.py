"""SWAD around an algorithm: what it averages, when training ends, what counts as the run's result."""

import math

import pytest
import torch
from builders import DEVICE, SMALL, build, equal_states, minibatches
from running.tiny_runs import run, untimed
from torch import nn

from domainbed.algorithms.base import HeldOut
from domainbed.algorithms.erm import ERM
from domainbed.errors import InputError
from domainbed.reports.records import load_records, read_records
from domainbed.running.evaluation import TrainingDomains
from domainbed.running.hparams import default_hparams
from domainbed.running.run import Run
from domainbed_gga.swad import REFRESH_BATCHES, SWAD, refresh_batch_norm

STEPS = 30
VALLEY = {"checkpoint_freq": 1, "steps": STEPS}


class Curve:
    """Losses as on a hand-made curve, one for each evaluation, whatever the weights."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def held_out(self):
        return HeldOut(0.5, next(self.losses))

    def minibatches(self, count):
        return (minibatches(step) for step in range(count))


def test_every_step_of_the_valley_is_averaged_and_none_of_the_target():
    """Two updates between evaluations; of segments 0 to 7 the rule averages 3 to 7, each the mean of its two steps."""
    algorithm, curve = build("ERM_SWAD"), Curve([6, 5, 4, 3, 2, 1, 1.1, 1.2])
    weights = []
    for evaluation in range(8):
        for step in (2 * evaluation, 2 * evaluation + 1):
            algorithm.update(minibatches(step))
            weights.append(parameters(algorithm))
        algorithm.after_evaluation(curve)
    metrics = algorithm.after_training(curve)
    torch.testing.assert_close(parameters(algorithm), torch.stack(weights[6:]).mean(0))
    assert metrics == {"swad_start": 6.0, "swad_end": 15.0, "swad_segments": 5.0}


def parameters(algorithm) -> torch.Tensor:
    return nn.utils.parameters_to_vector(algorithm.parameters()).detach().double()


@pytest.mark.parametrize("name", ["ERM_SWAD", "CORAL_GGA_SWAD", "Fish_SWAD"])
def test_until_the_end_training_is_the_bases(name):
    """In double precision, up to rounding: where a tensor lies in memory decides how some sums are split."""
    double = {"dtype": torch.float64}
    algorithm, base = build(name, **double), build(name.removesuffix("_SWAD"), **double)
    for step in range(4):
        batches = minibatches(step, **double)
        torch.manual_seed(step)
        metrics = algorithm.update(batches)
        torch.manual_seed(step)
        assert metrics == pytest.approx(base.update(batches), rel=1e-6, abs=1e-9)
        algorithm.after_evaluation(Curve([1.0]))
    torch.testing.assert_close(parameters(algorithm), parameters(base), rtol=1e-6, atol=1e-9)


def test_training_ends_with_the_valley(tmp_path):
    """With a threshold of half the first loss, all later ones are above it: the valley is its first segment alone."""
    hparams = '{"swad_n_converge": 1, "swad_n_tolerance": 1, "swad_tolerance_ratio": -0.5, "batch_size": 4}'
    early = run(tmp_path / "run", algorithm="ERM_SWAD", hparams=hparams, **VALLEY)
    list(early.records())
    progress = read_records(tmp_path / "run" / "progress" / "results.jsonl")
    assert [record["step"] for record in progress] == [0, 1]
    (record,) = read_records(tmp_path / "run" / "results.jsonl")
    assert record["step"] == 1
    accuracies = {name for name in record if name.endswith("_acc")}
    assert {name: record[name] for name in accuracies} == {name: progress[0][name] for name in accuracies}
    assert (tmp_path / "run" / "done").exists()


def test_the_result_is_the_record_of_the_averaged_weights(tmp_path):
    """Its accuracies are those of model.pkl; progress can be read as a sweep of one run is."""
    out = tmp_path / "run"
    trained = run(out, algorithm="ERM_SWAD", steps=6)
    *progress, last = list(trained.records())
    assert [record["step"] for record in progress] == [0, 2, 4, 5]
    assert read_records(out / "results.jsonl") == [last]
    assert list(load_records(out)) == progress
    saved = torch.load(out / "model.pkl", weights_only=True)["model_dict"]
    assert all(torch.equal(saved[name], value) for name, value in trained.algorithm.named_buffers())
    assert {name: value for name, value in last.items() if name.endswith("_acc")} == trained.accuracies(last["step"])


@pytest.mark.parametrize("rule", ["LossValley", "IIDMax"])
@pytest.mark.parametrize("records", [1, 3, 4])
def test_an_interrupted_run_ends_as_if_it_had_not_been(rule, records, tmp_path):
    changes = {
        "algorithm": "ERM_GGA_SWAD",
        "steps": 8,
        "hparams": f'{{"swad_rule": "{rule}", "swad_n_converge": 1, "swad_n_tolerance": 2, "swad_tolerance_ratio": 9.0'
        ', "batch_size": 4, "gga_start": 1, "gga_end": 4, "gga_search_steps": 2}',
    }
    whole, halves = run(tmp_path / "whole", **changes), run(tmp_path / "halves", **changes)
    list(whole.records())
    stream = halves.records()
    for _ in range(records):
        next(stream)
    del stream
    list(run(tmp_path / "halves", **changes).records())
    models = [
        torch.load(tmp_path / name / "model.pkl", weights_only=True)["model_dict"] for name in ("whole", "halves")
    ]
    assert equal_states(*models)
    for file in ("results.jsonl", "progress/results.jsonl"):
        expected, found = (untimed(read_records(tmp_path / name / file)) for name in ("whole", "halves"))
        assert expected == found


def test_a_run_that_was_killed_before_its_result_makes_it_again(tmp_path):
    """After the last checkpoint, and after results.jsonl was written, but before `done`."""
    out = tmp_path / "run"
    list(run(out, algorithm="ERM_SWAD", steps=3).records())
    expected = untimed(read_records(out / "results.jsonl"))
    for records in (2, 3):
        again = tmp_path / str(records)
        stream = run(again, algorithm="ERM_SWAD", steps=3).records()
        for _ in range(records):
            next(stream)
        del stream
        list(run(again, algorithm="ERM_SWAD", steps=3).records())
        assert untimed(read_records(again / "results.jsonl")) == expected


def test_one_training_domain_is_averaged_without_a_warning(caplog):
    """GGA inside compares domains, and warns."""
    build("ERM_SWAD", domains=1)
    assert not caplog.records
    build("ERM_GGA_SWAD", domains=1)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["ERM_GGA"]


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(5), nn.Linear(5, 4)

    def predict(self, x):
        return self.linear(self.norm(x))


def test_batch_norm_gets_the_mean_statistics_of_the_minibatches():
    network, batches = Normalised(), [minibatches(step) for step in range(7)]
    network.norm.running_mean.fill_(100.0)
    refresh_batch_norm(network, batches)
    pooled = [torch.cat([x for x, _ in domains]) for domains in batches]
    torch.testing.assert_close(network.norm.running_mean, torch.stack([x.mean(0) for x in pooled]).mean(0))
    torch.testing.assert_close(network.norm.running_var, torch.stack([x.var(0) for x in pooled]).mean(0))
    assert network.norm.momentum == 0.1


class NormalisedERM(ERM):
    """ERM on a network with BatchNorm after its first layer."""

    def __init__(self, *args):
        super().__init__(*args)
        self.network = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 4))
        self.optimizer = self.adam(self.network)


def test_batch_norm_is_refreshed_under_the_averaged_weights():
    """Converged at the first of three losses, so that the average is over all steps."""
    hparams = default_hparams("ERM_SWAD", "Debug28") | SMALL | {"lr": 0.1}
    algorithm = SWAD.wrap("NormalisedERM_SWAD", NormalisedERM)((5,), 4, 3, hparams).to(DEVICE)
    curve = Curve([1, 2, 3])
    for step in range(3):
        algorithm.update(minibatches(step))
        algorithm.after_evaluation(curve)
    algorithm.after_training(curve)
    first, norm, _ = algorithm.base.network
    with torch.no_grad():
        inputs = [first(torch.cat([x for x, _ in domains])) for domains in curve.minibatches(REFRESH_BATCHES)]
    torch.testing.assert_close(norm.running_mean, torch.stack([z.mean(0) for z in inputs]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([z.var(0) for z in inputs]).mean(0))


def test_frozen_batch_norm_keeps_its_statistics():
    network = Normalised()
    network.norm.train = lambda mode=True: network.norm  # as a featurizer with freeze_bn does
    network.norm.training = False
    refresh_batch_norm(network, [minibatches(0)])
    assert torch.equal(network.norm.running_mean, torch.zeros(5))


def test_only_training_domains_are_shown_to_the_algorithm(tmp_path):
    """The loss is the mean over domains 0 and 2 of the cross-entropy on their held-out splits, by hand."""
    trained = run(tmp_path / "run", test_envs=[1], steps=1)
    losses, accuracies = [], []
    for index in (0, 2):
        items = list(trained.environments[index].held_out)
        x, y = torch.stack([x for x, _ in items]), torch.stack([torch.as_tensor(y) for _, y in items])
        trained.algorithm.eval()
        logits = trained.algorithm.predict(x)
        losses.append(nn.functional.cross_entropy(logits, y).item())
        accuracies.append((logits.argmax(1) == y).double().mean().item())
    held_out = trained.training_domains(0).held_out()
    assert math.isclose(held_out.loss, sum(losses) / 2, rel_tol=1e-5)
    assert math.isclose(held_out.accuracy, sum(accuracies) / 2)


class Averaged(Normalised):
    """Predicts with a network that stays in evaluation mode, as ERM++ does."""

    def predict(self, x):
        self.norm.eval()
        return super().predict(x)


def test_batch_norm_through_which_no_prediction_trains_keeps_its_statistics():
    network = Averaged()
    network.norm.running_mean.fill_(3.0)
    refresh_batch_norm(network, [minibatches(0)])
    assert torch.equal(network.norm.running_mean, torch.full((5,), 3.0))


def test_a_run_that_ends_in_its_first_evaluation_continues(tmp_path, monkeypatch):
    """The update before it was saved; there is no record yet, nor a directory for any."""
    out = tmp_path / "run"

    def killed(self, step):
        self._save(self._state())
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Run, "accuracies", killed)
        with pytest.raises(KeyboardInterrupt):
            list(run(out, algorithm="ERM_SWAD", steps=3).records())
    list(run(out, algorithm="ERM_SWAD", steps=3).records())
    assert [record["step"] for record in read_records(out / "progress" / "results.jsonl")] == [0, 2]


def test_without_validation_data_it_is_refused_before_it_trains(tmp_path):
    with pytest.raises(InputError, match="ERM_SWAD needs validation data; raise --holdout_fraction"):
        run(tmp_path / "run", algorithm="ERM_SWAD", holdout_fraction=0.001)


def test_one_logit_has_the_loss_of_two_that_differ_by_it():
    """log(1 + exp(-z)) for class 1: the cross-entropy of the logits (0, z)."""
    x, y = torch.tensor([[0.5], [-2.0], [1.5]]), torch.tensor([1, 0, 0])

    class Columns(nn.Module):
        def __init__(self, columns):
            super().__init__()
            self.columns = columns

        def predict(self, x):
            return x if self.columns == 1 else torch.cat([torch.zeros_like(x), x], dim=1)

    one, two = (TrainingDomains(Columns(n), "cpu", lambda: [[(x, y)]], None).held_out() for n in (1, 2))
    assert one.accuracy == two.accuracy == 2 / 3
    assert math.isclose(one.loss, two.loss)
