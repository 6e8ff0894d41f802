"""The adapter to WILDS, on a small dataset with the interface of the package, and on a stand-in for the package."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from domainbed.datasets import WILDSCamelyon, WILDSDataset, WILDSFMoW, wilds
from domainbed.datasets.images import plain
from domainbed.errors import InputError
from domainbed.scripts import download


class Tissue:
    """Eight images; the odd ones are arrays rather than PIL images."""

    metadata_fields = ("slide", "hospital", "y")
    n_classes = 2
    y_array = torch.tensor([0, 1, 0, 1, 1, 1, 0, 0])
    metadata_array = torch.tensor([[7, h, y] for h, y in zip([2, 0, 4, 2, 0, 0, 4, 2], y_array.tolist(), strict=True)])

    def get_input(self, index):
        pixels = np.full((12, 10, 3), 30 * index, np.uint8)
        return pixels if index % 2 else Image.fromarray(pixels)


def test_one_environment_per_value_of_the_field():
    dataset = WILDSDataset(Tissue(), "hospital", [0], True, {})
    assert [environment.name for environment in dataset.datasets] == ["hospital_0", "hospital_2", "hospital_4"]
    assert [environment.targets.tolist() for environment in dataset.datasets] == [[1, 1, 1], [0, 1, 0], [0, 0]]
    assert (dataset.input_shape, dataset.num_classes) == ((3, 224, 224), 2)


def test_items_come_from_the_wilds_dataset():
    """Item 2 of hospital 2 has the index 7, a gray of 210."""
    x, y = WILDSDataset(Tissue(), "hospital", [0, 1, 2], True, {})[1][2]
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(x.mean(dim=(1, 2)), (210 / 255 - mean) / std)
    assert (x.shape, y.item()) == ((3, 224, 224), 0)


def test_images_have_the_size_that_is_asked_for():
    dataset = WILDSDataset(Tissue(), "hospital", [0], True, {"image_size": 64})
    assert dataset.input_shape == (3, 64, 64)
    assert {environment[0][0].shape for environment in dataset.datasets} == {dataset.input_shape}


def test_other_samples_or_labels_are_told_apart():
    """Of the environments, hospital 2 has the samples 0, 3 and 7, hospital 4 the samples 2 and 6."""
    before = WILDSDataset(Tissue(), "hospital", [0], False, {}).fingerprints()
    assert len(set(before)) == 3
    relabelled, moved = Tissue(), Tissue()
    relabelled.y_array = 1 - Tissue.y_array
    moved.metadata_array = Tissue.metadata_array[[0, 1, 3, 2, 4, 5, 6, 7]]
    for changed, same in ((relabelled, [False, False, False]), (moved, [True, False, False])):
        after = WILDSDataset(changed, "hospital", [0], False, {}).fingerprints()
        assert [old == new for old, new in zip(before, after, strict=True)] == same


def test_only_training_environments_are_augmented():
    torch.manual_seed(0)  # jitter can turn a light gray white twice
    dataset = WILDSDataset(Tissue(), "hospital", [1], True, {})
    varies = [not torch.equal(environment[1][0], environment[1][0]) for environment in dataset.datasets]
    assert varies == [True, False, True]


@pytest.mark.skipif(find_spec("wilds") is not None, reason="the package wilds is installed")
@pytest.mark.parametrize("cls", [WILDSCamelyon, WILDSFMoW])
def test_without_the_package(cls, tmp_path):
    with pytest.raises(InputError, match="pip install wilds"):
        cls.check(tmp_path, {})
    with pytest.raises(InputError, match="pip install wilds"):
        cls(tmp_path, [0], {"data_augmentation": True})


@pytest.mark.parametrize(
    ("cls", "marker"),
    [(WILDSCamelyon, "camelyon17_v1.0/RELEASE_v1.0.txt"), (WILDSFMoW, "fmow_v1.1/RELEASE_v1.1.txt")],
)
def test_a_download_that_broke_off_is_not_taken_for_data(cls, marker, tmp_path, monkeypatch):
    """The package itself takes a folder without that file for no data."""
    monkeypatch.setattr(wilds, "find_spec", lambda _: True)
    (tmp_path / marker).parent.mkdir()
    with pytest.raises(InputError, match=f"no whole data in .*download --dataset {cls.__name__} --data_dir {tmp_path}"):
        cls.check(tmp_path, {})
    (tmp_path / marker).touch()
    cls.check(tmp_path, {})


@pytest.fixture
def stand_in(monkeypatch):
    """The package in wilds_stand_in, also where the real one is installed."""

    def imported():
        return [name for name in sys.modules if name.partition(".")[0] == "wilds"]

    for name in imported():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(Path(__file__).with_name("wilds_stand_in"))
    yield
    for name in imported():
        del sys.modules[name]


def run(name, root, *flags):
    return download.main(["--dataset", name, "--data_dir", str(root), *flags])


PLAIN = {"data_augmentation": False, "image_size": 16}
PLACES = {WILDSCamelyon: ("camelyon17", "hospital"), WILDSFMoW: ("fmow", "region")}


@pytest.mark.parametrize("cls", PLACES)
def test_what_the_package_downloads_is_counted_by_environment(stand_in, cls, tmp_path, capsys):
    """The i-th environment of the stand-in has i + 2 images, of two classes."""
    assert run(cls.__name__, tmp_path, "--check") == 2
    assert f"error: {cls.__name__}: no whole data in {tmp_path}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    for flags in ([], ["--check"]):
        assert run(cls.__name__, tmp_path, *flags) == 0
        name, *lines = capsys.readouterr().out.splitlines()
        assert name == f"{cls.__name__}: in {tmp_path}"
        assert [line.split() for line in lines] == [
            [environment, f"{i + 2}", "images,", "2", "classes"] for i, environment in enumerate(cls.ENVIRONMENTS)
        ]
    dataset = cls(tmp_path, [0], PLAIN)
    assert [environment.targets.tolist() for environment in dataset.datasets[:2]] == [[0, 1], [0, 1, 0]]
    assert dataset[1][0][0].shape == dataset.input_shape == (3, 16, 16)


@pytest.mark.parametrize("cls", PLACES)
def test_an_environment_that_the_metadata_lack_is_told(stand_in, cls, tmp_path, capsys):
    """Those after it would have other numbers than the tables give them."""
    run(cls.__name__, tmp_path)
    metadata = next(tmp_path.rglob("metadata.csv"))
    metadata.write_text("".join(line for line in metadata.read_text().splitlines(True) if line[0] != "1"))
    field = PLACES[cls][1]
    with pytest.raises(InputError, match=f"are of {field}_0, {field}_2, .* instead of {field}_0, {field}_1, {field}_2"):
        cls(tmp_path, [0], PLAIN)
    capsys.readouterr()
    assert run(cls.__name__, tmp_path, "--check") == 2
    assert capsys.readouterr().err.startswith(f"error: {cls.__name__}: the metadata in {metadata.parent} are of ")


@pytest.mark.parametrize("cls", PLACES)
@pytest.mark.parametrize("size", [None, 0, 200])
def test_an_image_that_cannot_be_read_is_named(stand_in, cls, size, tmp_path):
    """Image 3 is the second of environment 1. PIL names the file where it is missing or empty, not where it is cut."""
    run(cls.__name__, tmp_path)
    path = next(tmp_path.rglob("3.png"))
    path.unlink() if size is None else os.truncate(path, size)
    environment = cls(tmp_path, [0], PLAIN)[1]
    place = f"restore it in {path.parents[1]}, and the same command continues$"
    for read in (lambda i: environment[i], lambda i: environment.pixels(i, plain(16), None)):
        read(0)
        with pytest.raises(InputError, match=f"^{PLACES[cls][0]}: image 3 cannot be read .*{place}") as caught:
            read(1)
        assert "\n" not in str(caught.value)
        assert (str(path) in str(caught.value)) == (size != 200)


def test_images_are_not_read_in_part(stand_in, tmp_path):
    run("WILDSCamelyon", tmp_path)
    WILDSCamelyon.check(tmp_path, PLAIN | {"tolerate_truncated": False})
    with pytest.raises(InputError, match="reads none in part; leave hparam tolerate_truncated out"):
        WILDSCamelyon.check(tmp_path, PLAIN | {"tolerate_truncated": True})
