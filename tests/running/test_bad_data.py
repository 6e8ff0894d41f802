"""Training on folders of images that are small, change, or vanish meanwhile."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_runs import read, run, untimed

from domainbed import datasets
from domainbed.errors import InputError
from domainbed.scripts import train

HPARAMS = {"image_size": 28, "batch_size": 32, "mlp_width": 8}


def make(folder, images, classes=("cat", "dog")):
    """Two domains of random images."""
    random = np.random.RandomState(0)
    for place in (folder / domain / name for domain in ("art", "photo") for name in classes):
        place.mkdir(parents=True)
        for i in range(images):
            Image.fromarray(random.randint(0, 256, (28, 28, 3)).astype(np.uint8)).save(place / f"{i}.png")


def settings(tmp_path, **hparams):
    return {
        "data_dir": str(tmp_path),
        "dataset": "ImageFolder:pets",
        "test_envs": [1],
        "steps": 5,
        "checkpoint_freq": 2,
        "holdout_fraction": 0.4,
        "hparams": json.dumps(HPARAMS | hparams),
    }


def command(tmp_path, output_dir):
    flags = settings(tmp_path) | {"test_envs": "1", "output_dir": output_dir, "num_workers": 0, "device": "cpu"}
    return [word for name, value in flags.items() for word in (f"--{name}", str(value))]


@pytest.mark.parametrize("class_balanced", [False, True])
@pytest.mark.parametrize(("images", "classes"), [(5, "ab"), (1, "abcdefghij")])
def test_ten_images_fill_a_batch_of_32_whatever_their_classes(images, classes, class_balanced, tmp_path):
    """Samples are drawn with replacement; most classes of one image are in training or held out, not in both."""
    make(tmp_path / "pets", images, classes)
    trained = run(tmp_path / "run", **settings(tmp_path, class_balanced=class_balanced))
    assert [len(split) for split in (trained.environments[0].training, trained.environments[0].held_out)] == [6, 4]
    records = list(trained.records())
    assert [record["step"] for record in records] == [0, 2, 4]
    assert records[-1].keys() >= {f"env{i}_{split}_acc" for i in (0, 1) for split in ("in", "out")}


def test_an_image_that_vanishes_in_training_is_one_line_and_the_same_command_continues(tmp_path, capsys):
    make(tmp_path / "pets", 5)
    undisturbed = list(run(tmp_path / "whole", **settings(tmp_path)).records())
    records = run(tmp_path / "run", **settings(tmp_path)).records()
    next(records), next(records)
    path = tmp_path / "pets" / "art" / "dog" / "1.png"
    path.rename(tmp_path / "aside.png")
    with pytest.raises(InputError, match=rf"^{path} cannot be read as an image \(No such file.*\); restore it"):
        list(records)
    kept = read(tmp_path / "run")
    assert untimed(kept) == untimed(undisturbed[:2])
    assert train.main(command(tmp_path, tmp_path / "run")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ImageFolder:pets: samples were added, removed or renamed since this run began, in")
    assert "environment 0, which moves the splits; restore them, or delete" in line
    assert read(tmp_path / "run") == kept
    (tmp_path / "aside.png").rename(path)
    assert train.main(command(tmp_path, tmp_path / "run")) == 0
    assert untimed(read(tmp_path / "run")) == untimed(undisturbed)


def test_an_image_damaged_in_training_is_one_line_and_the_records_are_kept(tmp_path):
    make(tmp_path / "pets", 5)
    records = run(tmp_path / "run", **settings(tmp_path)).records()
    next(records)
    path = tmp_path / "pets" / "photo" / "cat" / "0.png"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=f"^{path} cannot be read as an image .*truncated"):
        list(records)
    assert [record["step"] for record in read(tmp_path / "run")] == [0]


def test_what_tells_other_samples_apart_does_not_depend_on_where_they_are(tmp_path):
    make(tmp_path / "pets", 5)
    make(tmp_path / "elsewhere" / "pets", 5)
    dataset_class, hparams = datasets.get_dataset_class("ImageFolder:pets"), {"data_augmentation": False}

    def fingerprints(root):
        return dataset_class(root, [0], hparams).fingerprints()

    before = fingerprints(tmp_path)
    assert before == fingerprints(tmp_path / "elsewhere")
    (tmp_path / "pets" / "art" / "dog" / "1.png").rename(tmp_path / "pets" / "art" / "dog" / "9.png")
    after = fingerprints(tmp_path)
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)
