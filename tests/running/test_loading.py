"""Splits equal to DomainBed's; samples and augmentation that depend on the step alone."""

import os
import random
from contextlib import closing

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset
from torchvision.datasets import ImageFolder

from domainbed.datasets.augmentation import STD
from domainbed.datasets.image_cache import ImageCache
from domainbed.datasets.images import LabelledImages, augmented, plain, random_crop, read_image
from domainbed.errors import InputError
from domainbed.running.batches import BatchLoader, _Work
from domainbed.running.loading import (
    Split,
    TrainingLoader,
    evaluation_batches,
    labels,
    make_weights_for_balanced_classes,
    split_dataset,
    split_environments,
)
from domainbed.seeds import seed_hash


def tensors(n: int, start: int = 0) -> TensorDataset:
    x = torch.arange(start, start + n, dtype=torch.float32)[:, None]
    return TensorDataset(x, torch.arange(n) % 3)


class Noisy(Dataset):
    """Items whose augmentation draws from the global generators."""

    targets = [0, 1] * 10

    def __len__(self):
        return 20

    def __getitem__(self, index):
        noise = torch.rand(1) + random.random() + np.random.rand()
        return index + noise / 3, torch.tensor(self.targets[index])


class Loaders(Dataset):
    """Items that tell which process loads them, and are augmented."""

    def __getitem__(self, index):
        return index + torch.rand(1), os.getpid()


def test_splits_equal_the_worked_example_of_domainbed():
    """N = 10, trial_seed 0, env 0, fraction 0.2: out [2, 3]; half of the in split of a test environment is uda."""
    plain = split_environments([tensors(10)], [], 0, 0.2)[0]
    assert plain.held_out.keys == [2, 3]
    assert plain.training.keys == [8, 1, 4, 5, 0, 9, 6, 7]
    assert plain.unlabeled is None
    test = split_environments([tensors(10)], [0], 0, 0.2, 0.5)[0]
    assert [test.unlabeled[i][0].item() for i in range(4)] == [4, 5, 9, 1]
    assert [test.training[i][0].item() for i in range(4)] == [7, 8, 6, 0]


def test_split_sizes_of_vlcs():
    sizes = [
        (len(e.training), len(e.held_out))
        for e in split_environments([range(n) for n in (1415, 2656, 3282, 3376)], [], 0, 0.2)
    ]
    assert sizes == [(1132, 283), (2125, 531), (2626, 656), (2701, 675)]


def test_a_split_cannot_take_more_than_there_is():
    with pytest.raises(ValueError, match="cannot take 3 items of a dataset of 2"):
        split_dataset(range(2), 3)


def test_balanced_weights_equal_domainbeds_example():
    weights = make_weights_for_balanced_classes([(0, label) for label in (0, 1, 0, 2, 3, 0)])
    assert weights.sum() == 1
    assert weights[0] == weights[2]
    assert weights[1] == weights[3]
    assert 3 * weights[0] == weights[1]
    assert len(make_weights_for_balanced_classes([])) == 0


class Unlisted(Dataset):
    """Labels that only the items tell; `read` lists the items that were asked for."""

    def __init__(self, n):
        self.n, self.read = n, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.read.append(index)
        return torch.zeros(1), index % 3


def test_labels_of_a_split_are_read_from_its_items_alone():
    dataset = Unlisted(100)
    split = Split(Split(dataset, [7, 8, 50]), [2, 0])
    assert labels(split).tolist() == [2, 1]
    assert dataset.read == [50, 7]


def test_listed_labels_are_read_without_the_items():
    dataset = Unlisted(4)
    dataset.targets = [2, 1, 0, 1]
    assert labels(Split(Split(dataset, [3, 2, 0]), [2, 1])).tolist() == [2, 0]
    assert labels(Split(tensors(9), [5, 1])).tolist() == [2, 1]
    assert dataset.read == []


def test_balanced_sampling_draws_a_rare_class_as_often_as_a_common_one():
    rare = TensorDataset(torch.zeros(1000, 1), (torch.arange(1000) < 10).long())
    loader = TrainingLoader({"env0": Split(rare, range(1000))}, 4000, 0, balanced=True)
    ((_, y),) = next(iter(loader.batches(0, 1)))
    assert 0.45 < y.float().mean() < 0.55


def test_batches_of_a_step_do_not_depend_on_where_training_started():
    loader = TrainingLoader({"env0": Split(tensors(50), range(50)), "env2": Split(tensors(9), range(9))}, 16, seed=3)
    whole = list(loader.batches(0, 6))
    resumed = list(loader.batches(4, 6))
    for (x, y), (again_x, again_y) in zip(whole[4] + whole[5], resumed[0] + resumed[1], strict=True):
        assert torch.equal(x, again_x)
        assert torch.equal(y, again_y)
    assert not torch.equal(whole[0][0][0], whole[1][0][0])


def test_environments_and_seeds_have_streams_of_their_own():
    split = Split(tensors(50), range(50))
    first = next(iter(TrainingLoader({"env0": split, "env1": split}, 16, seed=3).batches(0, 1)))
    other = next(iter(TrainingLoader({"env0": split}, 16, seed=4).batches(0, 1)))
    assert not torch.equal(first[0][0], first[1][0])
    assert not torch.equal(first[0][0], other[0][0])


def test_a_batch_may_be_larger_than_its_environment():
    ((x, _),) = next(iter(TrainingLoader({"env0": Split(tensors(5), range(5))}, 64, 0).batches(0, 1)))
    assert len(x) == 64


def test_an_empty_environment_is_named():
    with pytest.raises(InputError, match="env1: no samples"):
        TrainingLoader({"env1": Split(tensors(5), [])}, 2, 0)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_augmentation_depends_on_the_step_not_on_workers_or_the_global_generator(num_workers):
    splits = {"env0": Split(Noisy(), range(20))}
    expected = [x for ((x, _),) in TrainingLoader(splits, 4, seed=1).batches(0, 3)]
    torch.manual_seed(99)
    before = torch.get_rng_state()
    with closing(BatchLoader([splits["env0"].root], num_workers)) as loader:
        found = [x for ((x, _),) in TrainingLoader(splits, 4, seed=1, loader=loader).batches(1, 3)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(expected[1:], found, strict=True))
    assert not torch.equal(expected[0] % 1, expected[1] % 1)


def test_every_place_of_a_batch_and_every_evaluated_sample_has_an_augmentation_of_its_own():
    """Items drawn twice differ within a batch, and equal items of two environments differ too."""
    splits = {"env0": Split(Noisy(), range(20)), "env1": Split(Noisy(), range(20))}
    (minibatches,) = TrainingLoader(splits, 32, seed=1).batches(0, 1)
    evaluated = [x for _, batches in evaluation_batches(splits, seed=1) for x, _ in batches]
    for batches in ([x for x, _ in minibatches], evaluated):
        noise = (torch.cat(batches) % 1).flatten()
        assert len(noise.unique()) == len(noise) >= 40


@pytest.mark.parametrize("dataset", [tensors(150), Noisy()])
def test_evaluation_sees_every_sample_once_in_order_and_the_same_each_time(dataset):
    split = Split(dataset, list(range(len(dataset)))[::-1])
    first, again = (
        torch.cat([x for _, batches in evaluation_batches({"env0_in": split}, seed=5) for x, _ in batches])
        for _ in range(2)
    )
    assert torch.equal(first, again)
    assert np.array_equal(first.flatten().int().numpy(), split.keys)


def test_a_large_batch_is_loaded_in_pieces_by_all_workers_and_is_the_same():
    """445 images of 224 pixels at once would fill the shared memory of a container, and keep one worker busy."""
    split = Split(Loaders(), range(70))
    with closing(BatchLoader([split.root], 2)) as loader:
        ((large,),) = [list(batches) for _, batches in evaluation_batches({"env0_in": split}, 1, loader, 70)]
    small = [x for _, batches in evaluation_batches({"env0_in": split}, 1, batch_size=8) for x, _ in batches]
    assert torch.equal(large[0], torch.cat(small))
    (first, second, third), counts = large[1].unique_consecutive(return_counts=True)
    assert counts.tolist() == [32, 32, 6]
    assert first == third != second


def test_the_stream_of_a_step_is_the_documented_one():
    """Step 2 of env0 under seed 3: default_rng(seed_hash(3, 'samples', 'env0', 2)).choice(5, 4)."""
    ((x, _),) = next(iter(TrainingLoader({"env0": Split(tensors(5), range(5))}, 4, seed=3).batches(2, 3)))
    expected = np.random.default_rng(seed_hash(3, "samples", "env0", 2)).choice(5, 4)
    assert x.flatten().int().tolist() == expected.tolist()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_image_that_vanishes_is_one_line_whoever_reads_it(num_workers, tmp_path):
    path = str(tmp_path / "gone.png")
    split = Split(LabelledImages([(path, 0)], plain(8)), [0])
    messages = []
    with closing(BatchLoader([split.root], num_workers)) as loader:
        training = TrainingLoader({"env0": split}, 2, 0, loader=loader).batches(0, 1)
        for _, batches in [("", training), *evaluation_batches({"env0_in": split}, 0, loader)]:
            with pytest.raises(InputError) as caught:
                list(batches)
            messages.append(str(caught.value))
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert messages == [str(caught.value)] * 2


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Splits of two environments of JPEGs in several sizes, one of them grey: augmented, and not."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.RandomState(0)
    for n in range(12):
        image = Image.fromarray(random.randint(0, 256, (4, 5, 3)).astype(np.uint8)).resize((40 + 5 * n, 50))
        (image.convert("L") if n == 3 else image).save(folder / f"{n}.jpg")
    samples = [(str(folder / f"{n}.jpg"), n % 3) for n in range(12)]
    environments = {
        "env0": LabelledImages(samples, augmented(random_crop(32))),
        "env1": LabelledImages(samples, plain(32)),
    }
    return {name: Split(dataset, [*range(1, 12), 0]) for name, dataset in environments.items()}


def loaded(splits, *options):
    """Two steps, then all samples, of one loader."""
    with closing(BatchLoader([split.root for split in splits.values()], *options)) as loader:
        steps = list(TrainingLoader(splits, 5, 1, loader=loader).batches(3, 5))
        evaluated = [batch for _, batches in evaluation_batches(splits, 1, loader, 8) for batch in batches]
    return [batch for step in steps for batch in step] + evaluated


def test_workers_and_cache_change_no_bit_and_exact_images_are_close(photos, tmp_path):
    expected = loaded(photos)
    cold, warm = (loaded(photos, 2, "cpu", False, ImageCache(tmp_path)) for _ in range(2))
    for (x, y), *others in zip(expected, cold, warm, strict=True):
        assert x.dtype == torch.float32
        for other_x, other_y in others:
            assert torch.equal(x, other_x)
            assert torch.equal(y, other_y)
    for (x, y), (exact_x, exact_y) in zip(expected, loaded(photos, 0, "cpu", True), strict=True):
        assert torch.equal(y, exact_y)
        assert ((x - exact_x).abs() > 2.01 / 255 / min(STD)).float().mean() < 0.02


def test_colours_changed_on_the_device_are_close_to_those_that_a_worker_changes(photos):
    """What a run on a GPU does, here on the CPU: the worker leaves the colours to whoever receives its images."""
    split = photos["env0"]
    part = split.part(range(8), 1, "augmentation")._replace(dataset=0)
    by_worker, left = (_Work([split.root], False, None, recolours)(part) for recolours in (True, False))
    assert left.x.dtype == by_worker.x.dtype == torch.uint8
    assert not torch.equal(left.x, by_worker.x)
    loader, on_gpu = BatchLoader([split.root]), BatchLoader([split.root], device="cuda")
    assert loader.description()["transforms"] == "fast, by OpenCV"
    assert on_gpu.description()["transforms"] == "fast, on tensors"
    ((x, _),), ((expected, _),) = (loader._minibatches([[loaded]]) for loaded in (left, by_worker))
    assert ((x - expected).abs() > 2.01 / 255 / min(STD)).float().mean() < 0.01


@pytest.mark.gpu
def test_a_gpu_gets_what_the_cpu_gets(photos):
    """Up to rounding: products and sums that the GPU fuses."""
    for (x, y), (there, labels_there) in zip(loaded(photos), loaded(photos, 2, "cuda"), strict=True):
        assert there.device.type == labels_there.device.type == "cuda"
        assert torch.equal(y, labels_there.cpu())
        assert ((x - there.cpu()).abs() > 2.01 / 255 / min(STD)).float().mean() < 0.01


def test_items_of_another_dataset_with_one_of_our_transforms_are_taken_as_they_are(photos, tmp_path):
    """torchvision's ImageFolder, which delivers no pixels."""
    Image.new("RGB", (20, 10), (9, 99, 199)).save((tmp_path / "a").with_suffix(".png"))
    (tmp_path / "classes" / "only").mkdir(parents=True)
    (tmp_path / "a.png").rename(tmp_path / "classes" / "only" / "a.png")
    folder = ImageFolder(tmp_path / "classes", transform=plain(8))
    (_, batches), *_ = evaluation_batches({"env0": Split(folder, [0])}, 0)
    ((x, y),) = batches
    assert torch.equal(x[0], folder[0][0])
    assert y.tolist() == [0]
