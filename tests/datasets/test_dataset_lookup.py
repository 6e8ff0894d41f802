"""Names, environments and classes of the datasets."""

import subprocess
import sys

import pytest

from domainbed import datasets
from domainbed.datasets import registry
from domainbed.errors import InputError, UnknownName
from domainbed.names import DATASETS, ENVIRONMENTS


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_catalogue_and_the_classes_agree(name, tmp_path):
    found = datasets.get_dataset_class(name)
    assert found is getattr(datasets, name)
    assert ENVIRONMENTS[name] == found.ENVIRONMENTS == datasets.environments(name, tmp_path)
    assert datasets.num_environments(name) == len(ENVIRONMENTS[name])


def test_the_contract_fixes_frequencies_and_shapes():
    slow = {"VLCS", "PACS", "OfficeHome", "TerraIncognita", "SVIRO"}
    for name in DATASETS:
        found = datasets.get_dataset_class(name)
        assert (found.N_STEPS, found.N_WORKERS) == (5001, 8)
        frequency = 300 if name in slow else 1000 if name == "DomainNet" else 100
        assert frequency == found.CHECKPOINT_FREQ
    shapes = {"Debug28": (3, 28, 28), "Debug224": (3, 224, 224), "WILDSCamelyon": (3, 224, 224)}
    shapes["WILDSFMoW"] = (3, 224, 224)
    assert {name: datasets.get_dataset_class(name).INPUT_SHAPE for name in DATASETS} == dict.fromkeys(DATASETS) | shapes


@pytest.mark.parametrize("name", ["Debug28", "Debug224", "ColoredMNIST", "RotatedMNIST", "Digits"])
def test_where_the_size_of_images_is_fixed_another_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=f"^{name}: the size of its images is fixed; leave hparam image_size out$"):
        datasets.get_dataset_class(name).check(tmp_path, {"image_size": 64})


@pytest.mark.parametrize("name", ["os", "MNIST", "Debug", "MultipleDomainDataset", "ImageFolder", "ImageFolder:", ""])
def test_only_datasets_are_found(name):
    with pytest.raises(NotImplementedError, match=f"Dataset not found: {name}"):
        datasets.get_dataset_class(name)


def test_a_miss_names_the_nearest():
    with pytest.raises(UnknownName, match=r"Dataset not found: Pacs \(nearest: PACS"):
        datasets.get_dataset_class("Pacs")


def test_datasets_are_listed_in_table_order():
    assert datasets.dataset_names()[: len(ENVIRONMENTS)] == list(ENVIRONMENTS)


def test_a_registered_dataset_is_found_and_its_name_is_taken(monkeypatch):
    monkeypatch.setattr(registry._datasets, "added", dict(registry._datasets.added))

    @datasets.register
    class Mine(datasets.Debug28):
        ENVIRONMENTS = ["a", "b"]

    assert datasets.get_dataset_class("Mine") is Mine
    assert datasets.dataset_names()[-1] == "Mine"
    assert datasets.num_environments("Mine") == 2
    with pytest.raises(ValueError, match="PACS is registered already"):
        datasets.register(type("PACS", (Mine,), {}))
    with pytest.raises(TypeError, match=r"must be a subclass of domainbed\.datasets\.base\.MultipleDomainDataset"):
        datasets.register(dict)


def test_a_class_that_other_code_sets_is_found(monkeypatch):
    class Mine(datasets.Debug28):
        ENVIRONMENTS = ("a", "b", "c")

    monkeypatch.setattr(datasets, "Mine", Mine, raising=False)
    monkeypatch.setattr(datasets, "PACS", Mine)
    assert datasets.get_dataset_class("Mine") is datasets.get_dataset_class("PACS") is Mine
    assert datasets.environments("Mine", None) == ["a", "b", "c"]


def test_a_class_that_other_code_sets_may_read_its_environments_from_a_folder(monkeypatch, tmp_path):
    class Pets(datasets.ImageFolder):
        FOLDER = "pets"

    (tmp_path / "pets" / "photo" / "cat").mkdir(parents=True)
    monkeypatch.setattr(datasets, "Pets", Pets, raising=False)
    assert datasets.environments("Pets", tmp_path) == ["photo"]


def test_the_number_of_environments_of_a_folder_is_asked_of_the_folder(tmp_path):
    for domain in ("b", "a", ".hidden"):
        (tmp_path / "pets" / domain / "cat").mkdir(parents=True)
    assert datasets.environments("ImageFolder:pets", tmp_path) == ["a", "b"]
    with pytest.raises(InputError, match="Data directory not specified"):
        datasets.num_environments("ImageFolder:pets")


def test_importing_the_datasets_imports_nothing_heavy_beside_torch():
    heavy = "{'torchvision', 'wilds', 'sklearn', 'matplotlib', 'mlxtend', 'pandas', 'PIL'}"
    script = f"import sys, torch, domainbed.datasets; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
