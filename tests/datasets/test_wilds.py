"""The adapter to WILDS, on a small dataset with the interface of the package."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from domainbed.datasets import WILDSCamelyon, WILDSDataset, WILDSFMoW, wilds
from domainbed.errors import InputError


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
