"""Hyperparameters: equal to DomainBed's to the last digit, plain values, and checked before a run."""

import json
from pathlib import Path

import pytest

from domainbed.algorithms import algorithm_names, combinator_names
from domainbed.errors import InputError
from domainbed.names import ALGORITHMS, DATASETS
from domainbed.running.hparams import check_hparams, default_hparams, random_hparams

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


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrapper_adds_its_own_and_changes_none_of_the_bases(algorithm: str) -> None:
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
    ],
)
def test_a_wrong_name_or_type_is_refused(given: dict, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_hparams(given, "ERM", "PACS")


def test_names_of_other_algorithms_and_optional_ones_are_accepted() -> None:
    check_hparams({"gga_rho": 1e-4, "mnist_source": "sample", "lr": 1, "image_size": 64}, "ERM", "RotatedMNIST")
