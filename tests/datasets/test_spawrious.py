"""Spawrious: which images make up which environment."""

import logging
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from domainbed.datasets import SpawriousM2M_hard, SpawriousO2O_easy, spawrious
from domainbed.errors import InputError

LOCATIONS = ("beach", "desert", "dirt", "jungle", "mountain", "snow")
HPARAMS = {"data_augmentation": True}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Ten images of each class in each location, instead of 3,168."""
    monkeypatch.setattr(spawrious, "PER_CLASS", 10)
    for k in (0, 1):
        for place in LOCATIONS:
            for name in spawrious.CLASSES:
                folder = tmp_path / str(k) / place / name
                folder.mkdir(parents=True)
                for i in range(10):
                    pixels = np.random.RandomState(i).randint(0, 256, (8, 8, 3)).astype(np.uint8)
                    Image.fromarray(pixels).save(folder / f"{i}.{'PNG' if i % 2 else 'png'}")
    return tmp_path


def test_the_groups_of_one_to_one_are_as_large_as_published():
    """0.97 and 0.87 of 3,168 images of the class's own location, rounded down; the rest from the shared one."""
    _, first, second = SpawriousO2O_easy.parts()
    assert Counter((k, place, limit) for k, place, _, limit in first) == Counter(
        [(0, place, 3072) for place in ("desert", "jungle", "dirt", "snow")] + [(0, "beach", 96)] * 4
    )
    assert {(k, limit) for k, _, _, limit in second} == {(1, 2756), (1, 412)}
    assert (0, "jungle", "dachshund", 3072) in first


def test_the_groups_of_many_to_many_swap_pairs_of_classes():
    test, first, second = SpawriousM2M_hard.parts()
    assert first == [
        (0, "dirt", "bulldog", 3168),
        (0, "jungle", "dachshund", 3168),
        (0, "snow", "labrador", 3168),
        (0, "beach", "corgi", 3168),
    ]
    assert [place for _, place, _, _ in second] == ["jungle", "dirt", "beach", "snow"]
    assert [place for _, place, _, _ in test] == ["snow", "beach", "dirt", "jungle", "beach", "snow", "jungle", "dirt"]
    assert {limit for _, _, _, limit in test} == {None}


def test_environments_hold_the_first_images_by_name(root):
    """Of 10 images, 9 are 0.97 and 8 are 0.87 of them; the test environment has all of two folders."""
    dataset = SpawriousO2O_easy(root, [0], HPARAMS)
    assert [len(environment) for environment in dataset.datasets] == [80, 40, 40]
    assert (dataset.input_shape, dataset.num_classes, len(dataset)) == ((3, 224, 224), 4, 3)
    group = dataset[1]
    assert Counter(group.targets) == dict.fromkeys(range(4), 10)
    assert group.samples[:9] == [(path, 0) for path in sorted(p for p, label in group.samples[:9])]
    x, _ = dataset[0][0]
    assert x.shape == dataset.input_shape


def test_images_have_the_size_that_is_asked_for(root):
    dataset = SpawriousO2O_easy(root, [0], HPARAMS | {"image_size": 64})
    assert dataset.input_shape == (3, 64, 64)
    assert {environment[0][0].shape for environment in dataset.datasets} == {dataset.input_shape}
    with pytest.raises(InputError, match="image_size must be a number of pixels, at least 1, not 0"):
        SpawriousO2O_easy.check(root, HPARAMS | {"image_size": 0})


def test_the_archive_s_own_folder_is_accepted(root, tmp_path):
    (tmp_path / "spawrious224").mkdir()
    for k in "01":
        (tmp_path / k).rename(tmp_path / "spawrious224" / k)
    SpawriousM2M_hard.check(tmp_path, HPARAMS)
    assert [len(environment) for environment in SpawriousM2M_hard(tmp_path, [0], HPARAMS).datasets] == [80, 40, 40]


def test_too_few_images_are_noticed(root):
    (root / "0" / "desert" / "bulldog" / "0.png").unlink()
    (root / "0" / "desert" / "bulldog" / "1.PNG").unlink()
    with pytest.raises(InputError, match="desert/bulldog: needs 9 images or more, has 8"):
        SpawriousO2O_easy.check(root, HPARAMS)


def test_a_damaged_image_is_named(root):
    (root / "1" / "snow" / "corgi" / "3.PNG").write_bytes(b"")
    with pytest.raises(InputError, match=r"snow/corgi/3.PNG cannot be read"):
        SpawriousO2O_easy.check(root, HPARAMS)


def test_many_to_many_reads_folder_0_alone(root):
    shutil.rmtree(root / "1")
    SpawriousM2M_hard.check(root, HPARAMS)
    assert [len(environment) for environment in SpawriousM2M_hard(root, [0], HPARAMS).datasets] == [80, 40, 40]
    with pytest.raises(InputError, match=r"1/dirt/bulldog"):
        SpawriousO2O_easy.check(root, HPARAMS)


def test_a_damaged_image_where_nothing_is_read_is_no_matter(root):
    (root / "1" / "beach" / "corgi" / "3.PNG").write_bytes(b"")
    (root / "0" / "mountain" / "corgi" / "3.PNG").write_bytes(b"")
    SpawriousM2M_hard.check(root, HPARAMS)
    with pytest.raises(InputError, match=r"beach/corgi/3\.PNG cannot be read"):
        SpawriousO2O_easy.check(root, HPARAMS)


def test_other_files_are_told_apart_wherever_the_folder_is(root, monkeypatch):
    """Environment 0 has bulldogs in the dirt, 1 and 2 in the desert, of folder 0 and of folder 1."""
    before = SpawriousO2O_easy(root, [0], HPARAMS).fingerprints()
    assert len(set(before)) == 3
    (root / "1" / "desert" / "bulldog" / "0.png").rename(root / "1" / "desert" / "bulldog" / "00.png")
    after = SpawriousO2O_easy(root, [0], HPARAMS).fingerprints()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]
    (root / "spawrious224").mkdir()
    for k in "01":
        (root / k).rename(root / "spawrious224" / k)
    assert SpawriousO2O_easy(root, [0], HPARAMS).fingerprints() == after
    monkeypatch.chdir(root / "spawrious224")
    assert SpawriousO2O_easy(".", [0], HPARAMS).fingerprints() == after


def test_missing_data_and_its_source(tmp_path):
    with pytest.raises(InputError, match=r"no data in .*expected .*download --dataset SpawriousO2O_easy"):
        SpawriousO2O_easy.check(tmp_path, HPARAMS)


def test_holding_out_a_group_is_warned_about(root, caplog):
    with caplog.at_level(logging.WARNING):
        SpawriousO2O_easy(root, [1], HPARAMS)
    assert "made for test_envs [0], not [1]" in caplog.text
