"""Hyperparameters: equal to DomainBed's to the last digit, plain values, and checked before a run."""

import json
import math
from pathlib import Path

import pytest

from domainbed.algorithms import ERM, algorithm_names, combinator_names
from domainbed.errors import InputError
from domainbed.names import ALGORITHMS, DATASETS
from domainbed.running.arguments import Arguments
from domainbed.running.checks import check_arguments
from domainbed.running.hparams import check_given_hparams, default_hparams, hparam_space, random_hparams
from domainbed.scripts import sweep, train
from domainbed.seeds import seed_hash

WORKED = json.loads((Path(__file__).parents[1] / "reference" / "hparams.json").read_text())


@pytest.mark.parametrize("case", WORKED, ids=lambda case: f"{case['algorithm']}-{case['dataset']}-{case['seed']}")
def test_draws_equal_the_worked_examples_of_domainbed(case: dict) -> None:
    assert random_hparams(case["algorithm"], case["dataset"], case["seed"]) == case["hparams"]


def test_keys_come_in_domainbeds_order() -> None:
    names = list(default_hparams("DANN", "PACS"))
    assert names[0] == "data_augmentation"
    assert names[names.index("nonlinear_classifier") + 1] == "lambda"
    assert names[-6:] == ["lr", "weight_decay", "batch_size", "lr_g", "lr_d", "weight_decay_g"]


@pytest.mark.parametrize("dataset", [*DATASETS, "Digits", "ImageFolder:pets"])
def test_every_draw_is_a_plain_value_that_json_can_write_and_two_draws_agree(dataset: str) -> None:
    for algorithm in algorithm_names() + combinator_names():
        drawn = random_hparams(algorithm, dataset, 7)
        assert all(type(value) in (bool, int, float, str) for value in drawn.values()), algorithm
        assert random_hparams(algorithm, dataset, 7) == drawn
        assert default_hparams(algorithm, dataset).keys() == drawn.keys()


@pytest.mark.parametrize("dataset", [*DATASETS, "Digits", "ImageFolder:pets"])
def test_random_search_draws_only_what_a_user_may_set(dataset: str) -> None:
    for algorithm in algorithm_names() + combinator_names():
        check_given_hparams(default_hparams(algorithm, dataset), algorithm, dataset)
        for seed in range(3):
            check_given_hparams(random_hparams(algorithm, dataset, seed), algorithm, dataset)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_combination_has_the_bases_hyperparameters_unchanged_and_the_combinators(algorithm: str) -> None:
    base = random_hparams(algorithm, "PACS", 3)
    wrapped = random_hparams(f"{algorithm}_GGA", "PACS", 3)
    assert {name: wrapped[name] for name in base} == base
    assert all(name.startswith("gga_") for name in wrapped.keys() - base.keys())
    assert len(wrapped) > len(base)


# (algorithm, dataset) -> default lr and batch size, and the least and largest draw of each, from DomainBed's table
TRAINING = {
    ("ERM", "ColoredMNIST"): (1e-3, 64, 10**-4.5, 10**-2.5, 8, 511),
    ("ERM", "Debug224"): (5e-5, 32, 1e-5, 10**-3.5, 8, 45),
    ("ERM", "DomainNet"): (5e-5, 32, 1e-5, 10**-3.5, 8, 31),
    ("ARM", "RotatedMNIST"): (1e-3, 64, 10**-4.5, 10**-2.5, 8, 511),
    ("ARM", "PACS"): (5e-5, 8, 1e-5, 10**-3.5, 8, 8),
    ("RDM", "RotatedMNIST"): (1e-3, 64, 10**-4.5, 10**-2.5, 8, 511),
    ("RDM", "PACS"): (5e-5, 88, 1e-5, 10**-3.5, 70, 99),
    ("RDM", "TerraIncognita"): (5e-5, 40, 1e-5, 10**-3.5, 30, 59),
    ("RDM", "DomainNet"): (5e-5, 40, 1e-5, 10**-3.5, 30, 59),
    ("ADRMX", "Debug28"): (3e-3, 64, 5e-4, 3e-3, 8, 511),
    ("ADRMX", "VLCS"): (3e-5, 32, 2e-5, 5e-5, 8, 45),
}


@pytest.mark.parametrize("case", TRAINING, ids=" ".join)
def test_learning_rate_and_batch_size_follow_algorithm_and_dataset(case):
    lr, batch, lowest, highest, smallest, largest = TRAINING[case]
    default = default_hparams(*case)
    assert (default["lr"], default["batch_size"]) == (lr, batch)
    draws = [random_hparams(*case, seed) for seed in range(200)]
    assert lowest <= min(d["lr"] for d in draws) <= 1.3 * lowest
    assert highest / 1.3 <= max(d["lr"] for d in draws) <= highest
    assert smallest <= min(d["batch_size"] for d in draws) <= smallest + 1
    assert 0.95 * largest - 1 <= max(d["batch_size"] for d in draws) <= largest


def test_an_unknown_algorithm_adds_nothing() -> None:
    assert default_hparams("Nonesuch", "PACS") == default_hparams("ERM", "PACS")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"learning_rate": 1e-3}, "unknown hparam 'learning_rate'"),
        ({"batchsize": 8}, "nearest: batch_size"),
        ({"lr": "fast"}, "'lr' must be of type float"),
        ({"batch_size": 8.5}, "'batch_size' must be of type int"),
        ({"resnet18": 1}, "'resnet18' must be of type bool"),
        ({"lr": True}, "'lr' must be of type float"),
        ({"lr": -1}, "hparam 'lr' must be above 0, not -1"),
        ({"lr": math.nan}, "hparam 'lr' must be finite, not nan"),
        ({"lr": 1e-3, "weight_decay": math.inf}, "hparam 'weight_decay' must be finite, not inf"),
        ({"batch_size": 0}, "hparam 'batch_size' must be at least 1, not 0"),
        ({"resnet_dropout": 2}, "hparam 'resnet_dropout' must be in [0, 1), not 2"),
        ({"vit_dropout": -0.1}, "hparam 'vit_dropout' must be in [0, 1), not -0.1"),
        ({"weight_decay": -0.1}, "hparam 'weight_decay' must be at least 0, not -0.1"),
        ({"linear_steps": -5}, "hparam 'linear_steps' must be at least 0, not -5"),
        ({"image_size": 0}, "hparam 'image_size' must be at least 1, not 0"),
        ({"mnist_source": "kaggle"}, "hparam 'mnist_source' must be one of download, sample, not 'kaggle'"),
        ({"featurizer": "CNN"}, "hparam 'featurizer' must be one of MNIST_CNN, StridedCNN, not 'CNN'"),
        ({"rdm_lr": "x"}, "hparam 'rdm_lr' must be of type float"),
    ],
    ids=str,
)
@pytest.mark.parametrize("script", ["train", "sweep"])
def test_a_wrong_name_type_or_value_is_one_line_before_anything_is_launched(
    script: str, given: dict, complaint: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert SCRIPTS[script]("Digits", "ERM", given) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def _train(dataset: str, algorithm: str, hparams: dict) -> int:
    return train.main(["--dataset", dataset, "--algorithm", algorithm, "--hparams", json.dumps(hparams)])


def _sweep(dataset: str, algorithm: str, hparams: dict, n_hparams: int = 2) -> int:
    jobs = ["--datasets", dataset, "--algorithms", algorithm, "--n_hparams", str(n_hparams), "--n_trials", "1"]
    options = ["--single_test_envs", "--skip_confirmation", "--command_launcher", "dummy"]
    return sweep.main(["launch", *jobs, *options, "--hparams", json.dumps(hparams)])


SCRIPTS = {"train": _train, "sweep": _sweep}


def test_names_of_other_algorithms_and_optional_ones_are_accepted() -> None:
    given = {"gga_rho": 1e-4, "mnist_source": "sample", "lr": 1, "image_size": 64}
    check_given_hparams(given, "ERM", "RotatedMNIST")


def test_an_algorithms_range_holds_also_where_others_have_a_wider_one() -> None:
    check_given_hparams({"mlp_depth": 2, "lambda": 0}, "DANN_GGA", "PACS")
    with pytest.raises(InputError, match="'mlp_depth' must be at least 2, not 1"):
        check_given_hparams({"mlp_depth": 1}, "DANN_GGA", "PACS")


def test_other_peoples_functions_stand_in_the_place_of_distributions(monkeypatch) -> None:
    monkeypatch.setattr(ERM, "HPARAMS", {"margin": (1, lambda r: r.choice([0.5, 2.5]))})
    assert default_hparams("ERM", "PACS")["margin"] == 1
    assert type(random_hparams("ERM", "PACS", 0)["margin"]) is float
    check_given_hparams({"margin": -7.5}, "ERM", "PACS")
    with pytest.raises(InputError, match="'margin' must be of type float"):
        check_given_hparams({"margin": "wide"}, "ERM", "PACS")


@pytest.fixture
def small_batches_only(monkeypatch) -> list[dict]:
    """ERM demands what one of three draws does not fulfil; the complete hyperparameters that it was asked about."""
    asked = []

    def check_hparams(cls: type, hparams: dict) -> None:
        asked.append(hparams)
        if hparams["batch_size"] == largest:
            raise InputError(f"batch_size ({largest}) is too large for lr ({hparams['lr']})")

    draws = [random_hparams("ERM", "Digits", seed_hash(seed, 0))["batch_size"] for seed in (1, 2)]
    largest = draws[0]
    assert len({64, *draws}) == 3
    monkeypatch.setattr(ERM, "check_hparams", classmethod(check_hparams))
    return asked


@pytest.mark.parametrize("algorithm", ["ERM", "ERM_GGA", "ERM_GGA_GGA_L"])
def test_a_sweep_asks_an_algorithm_and_a_combinations_base_about_every_draw(
    algorithm, small_batches_only, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _sweep("Digits", algorithm, {}, n_hparams=3) == 2
    error = capsys.readouterr().err
    assert "is too large for lr" in error
    assert error.endswith(f"({algorithm} on Digits, --hparams_seed 1, --trial_seed 0)\n")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert hparam_space("ERM", "Digits").keys() <= small_batches_only[0].keys()


def test_a_constraint_refuses_the_run_that_breaks_it_and_no_other(small_batches_only) -> None:
    check_arguments(Arguments(algorithm="ERM_GGA", dataset="Digits", hparams_seed=2))
    with pytest.raises(InputError, match="is too large for lr"):
        check_arguments(Arguments(algorithm="ERM_GGA", dataset="Digits", hparams_seed=1))
    check_arguments(Arguments(algorithm="ERM_GGA", dataset="Digits", hparams_seed=1, hparams='{"batch_size": 8}'))
