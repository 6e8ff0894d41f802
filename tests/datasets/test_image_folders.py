"""Image folders: what is found in them, and what is refused."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
import torchvision
from PIL import Image
from small_images import PLAIN, make

from domainbed import datasets
from domainbed.datasets.images import augmented, plain, random_crop
from domainbed.errors import InputError


def test_environments_are_the_sorted_domains(pets, dataset_class):
    dataset = dataset_class(pets.parent, [0], PLAIN)
    assert datasets.environments("ImageFolder:pets", pets.parent) == ["art", "photo", "sketch"]
    assert (dataset.input_shape, dataset.num_classes, len(dataset)) == ((3, 16, 16), 2, 3)
    assert dataset.dir == str(pets)
    x, y = dataset[1][3]
    assert (x.shape, x.dtype, y) == ((3, 16, 16), torch.float32, 1)
    assert dataset[1].targets == [0, 0, 1, 1]


def test_files_are_in_the_order_of_torchvision(pets, dataset_class):
    """Splits are drawn by index, so that the order decides whether they equal DomainBed's."""
    shutil.copytree(pets / "art" / "dog", pets / "art" / "cat" / "deeper")
    for name in ("B.JPG", "a.Jpeg", "10.png", "notes.txt"):
        shutil.copy(pets / "art" / "cat" / "0.png", pets / "art" / "cat" / name)
    theirs = torchvision.datasets.ImageFolder(str(pets / "art"))
    mine = dataset_class(pets.parent, [0], PLAIN)[0]
    assert (mine.samples, mine.targets) == (theirs.samples, theirs.targets)
    assert len(mine) == 9


def test_hidden_files_and_folders_are_passed_over(pets, dataset_class):
    for hidden in (".cache", "photo/.ipynb_checkpoints", "photo/cat/.thumbnails", "photo/cat/.trash/yesterday/cats"):
        shutil.copytree(pets / "art" / "cat", pets / hidden)
    (pets / "photo" / "cat" / "._0.png").write_bytes(b"not an image")
    (pets / "readme.txt").write_text("not a domain")
    dataset_class.check(pets.parent, PLAIN)
    assert [len(environment) for environment in dataset_class(pets.parent, [], PLAIN).datasets] == [4, 4, 4]


def old_transform(*geometry):
    """Section 5.4 of the contract with the first version of torchvision's transforms."""
    v1 = torchvision.transforms
    normalize = v1.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return v1.Compose([*geometry, v1.ToTensor(), normalize])


def test_the_plain_transform_is_the_contract_s(pets):
    image = Image.open(pets / "art" / "cat" / "0.png")
    torch.testing.assert_close(plain(224)(image), old_transform(torchvision.transforms.Resize((224, 224)))(image))


def test_the_augmentation_is_the_contract_s(pets):
    v1 = torchvision.transforms
    old = old_transform(
        v1.RandomResizedCrop(224, scale=(0.7, 1.0)),
        v1.RandomHorizontalFlip(),
        v1.ColorJitter(0.3, 0.3, 0.3, 0.3),
        v1.RandomGrayscale(),
    )
    image, new = Image.open(pets / "art" / "cat" / "0.png"), augmented(random_crop(224))
    for seed in range(8):
        torch.manual_seed(seed)
        expected = old(image)
        torch.manual_seed(seed)
        torch.testing.assert_close(new(image), expected)


def test_all_environments_but_the_test_ones_are_augmented(pets, dataset_class):
    def varies(environment):
        return not torch.equal(environment[0][0], environment[0][0])

    dataset = dataset_class(pets.parent, [1], {**PLAIN, "data_augmentation": True})
    assert [varies(environment) for environment in dataset.datasets] == [True, False, True]
    assert not any(varies(environment) for environment in dataset_class(pets.parent, [1], PLAIN).datasets)


@pytest.mark.parametrize("name", ["VLCS", "PACS", "OfficeHome", "TerraIncognita", "DomainNet", "SVIRO"])
def test_published_datasets_expect_their_folders(name, tmp_path):
    found = datasets.get_dataset_class(name)
    with pytest.raises(
        InputError, match=f"{name}: no data in {tmp_path / found.FOLDER}; expected .*scripts.download --dataset {name}"
    ) as caught:
        found.check(tmp_path, PLAIN)
    assert found.SOURCE in str(caught.value)
    assert "\n" not in str(caught.value)
    make(tmp_path, found.FOLDER, found.DOMAINS, images=1)
    found.check(tmp_path, PLAIN)
    dataset = found(tmp_path, [0], {"data_augmentation": True})
    assert (len(dataset), dataset.input_shape) == (datasets.num_environments(name), (3, 224, 224))
    assert sorted(found.DOMAINS) == found.DOMAINS


def test_other_domains_than_the_published_are_named(tmp_path):
    make(tmp_path, "PACS", ["art_painting", "cartoon", "photos", "sketch"])
    with pytest.raises(InputError, match="photo is missing, photos does not belong there"):
        datasets.PACS.check(tmp_path, PLAIN)
    with pytest.raises(InputError, match="photo is missing"):
        datasets.PACS(tmp_path, [0], PLAIN)


def test_a_folder_too_many_is_no_environment(tmp_path):
    """The original counts it as one, which moves the indices of those behind it."""
    make(tmp_path, "PACS", [*datasets.PACS.DOMAINS, "lists"])
    with pytest.warns(UserWarning, match=r"PACS: .* also holds lists, which is no environment"):
        datasets.PACS.check(tmp_path, PLAIN)
    found = datasets.PACS(tmp_path, [0], PLAIN)
    assert [environment.samples[0][0].split("/")[-3] for environment in found.datasets] == datasets.PACS.DOMAINS


def test_a_class_missing_from_one_domain_is_named(pets, dataset_class):
    shutil.rmtree(pets / "photo" / "cat")
    for act in (dataset_class.check, lambda root, hparams: dataset_class(root, [0], hparams)):
        with pytest.raises(InputError, match="class folder 'cat' is missing from the domain 'photo'"):
            act(pets.parent, PLAIN)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda pets: shutil.rmtree(pets), "ImageFolder:pets: no data in"),
        (lambda pets: [shutil.rmtree(folder) for folder in pets.iterdir()], "no data in"),
        (lambda pets: [shutil.rmtree(folder) for folder in pets.glob("*/*")], "no class folders in"),
        (lambda pets: [file.unlink() for file in (pets / "art" / "dog").iterdir()], "no images in the class folder"),
    ],
)
def test_folders_without_data_are_refused(pets, dataset_class, spoil, message):
    spoil(pets)
    with pytest.raises(InputError, match=message):
        dataset_class.check(pets.parent, PLAIN)


def test_no_data_folder_at_all(dataset_class):
    with pytest.raises(InputError, match="--data_dir"):
        dataset_class.check(None, PLAIN)


def test_no_image_has_a_size_below_one(pets, dataset_class):
    with pytest.raises(InputError, match="image_size"):
        dataset_class.check(pets.parent, {**PLAIN, "image_size": 0})


def test_names_that_are_not_utf8_are_used_like_others(tmp_path):
    """Latin-1 names of folders and files, through the scripts, with a terminal that takes UTF-8 alone."""
    data = os.fsencode(tmp_path) + b"/d\xe4ta"
    for domain in (b"f\xf6to", b"skizze"):
        for label in (b"k\xe4fer", b"hund"):
            os.makedirs(folder := os.path.join(data, b"t\xfcre", domain, label))
            for name in (b"gr\xfcn.png", b"rot.png"):
                with open(os.path.join(folder, name), "wb") as file:
                    Image.new("RGB", (8, 8)).save(file, "png")
    train = [
        "train",
        "--data_dir",
        data,
        "--dataset",
        b"ImageFolder:t\xfcre",
        "--steps",
        "1",
        "--holdout_fraction",
        "0.5",
    ]
    train += ["--hparams", '{"image_size": 28, "batch_size": 2}', "--output_dir", "sweep/run"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}

    def script(*words):
        command = [sys.executable, "-m", f"domainbed.scripts.{words[0]}", *words[1:]]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    trained = script(*train)
    assert trained.returncode == 0, trained.stderr
    assert r"dataset: ImageFolder:t\udcfcre" in (tmp_path / "sweep" / "run" / "out.txt").read_text(encoding="utf-8")
    tables = script("collect_results", "--input_dir", "sweep")
    assert tables.returncode == 0, tables.stderr
    assert r"Dataset: ImageFolder:t\udcfcre" in tables.stdout
    with open(os.path.join(data, b"t\xfcre", b"skizze", b"hund", b"rot.png"), "wb"):
        pass
    refused = script(*train[:-1], "other")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
    assert r"t\udcfcre/skizze/hund/rot.png cannot be read" in refused.stderr
