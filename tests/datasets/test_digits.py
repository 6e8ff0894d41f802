"""What Digits promises: the same digits always, none of them twice, kept safely."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from domainbed.datasets import Digits
from domainbed.datasets.digit_sources import CONTRAST, LUMINANCE, over_photographs, rendered
from domainbed.datasets.digits import cache_file


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def digits(root):
    np.random.seed(1)
    torch.manual_seed(1)
    return Digits(root, [0], {})


def test_every_environment_has_images_and_all_ten_digits(digits):
    assert [len(environment) for environment in digits.datasets] == [2500, 2500, 1797, 2000]
    for environment in digits.datasets:
        x, y = environment.tensors
        assert (x.dtype, x.shape[1:], y.dtype) == (torch.float32, digits.input_shape, torch.int64)
        assert x.min() == 0
        assert x.max() == 1
        counts = torch.bincount(y, minlength=digits.num_classes)
        assert len(counts) == 10
        assert counts.min() >= 0.9 * counts.max()


def test_no_digit_occurs_twice(digits):
    images = [image.numpy().tobytes() for environment in digits.datasets for image in environment.tensors[0]]
    assert len(set(images)) == len(images)


def test_a_torn_file_is_rebuilt_into_the_same_digits(digits, root):
    path = cache_file(root)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    np.random.seed(2)
    torch.manual_seed(2)
    rebuilt = Digits(root, [1], {})
    assert path.stat().st_size == len(whole)
    _assert_equal(rebuilt, digits)


def test_a_kept_file_is_read_and_not_rewritten(digits, root):
    before = cache_file(root).stat().st_mtime_ns
    _assert_equal(Digits(root, [0], {}), digits)
    assert cache_file(root).stat().st_mtime_ns == before
    assert [path.name for path in cache_file(root).parent.iterdir()] == [cache_file(root).name]


def test_photographs_are_blended_by_absolute_difference():
    """Where an image is 0 the blend is the crop, where it is 255 the crop's inverse: undone, it is in a photograph."""
    ink = np.random.RandomState(0).rand(3, 28, 28) < 0.3
    blends = over_photographs(np.where(ink, 255, 0).astype(np.uint8), np.random.RandomState(0)).transpose(0, 2, 3, 1)
    for mask, blend in zip(ink, blends, strict=True):
        crop = np.where(mask[:, :, None], 255 - blend, blend)
        assert any(_occurs(crop, photograph) for photograph in load_sample_images().images)
        contrast = np.abs(blend.astype(int) - crop) @ LUMINANCE
        assert contrast[mask].mean() >= CONTRAST


def _occurs(crop, photograph):
    height, width, _ = photograph.shape
    places = np.argwhere((photograph[: height - 27, : width - 27] == crop[0, 0]).all(axis=2))
    return any(np.array_equal(photograph[i : i + 28, j : j + 28], crop) for i, j in places)


def test_rendered_digits_stand_out_from_their_background():
    images, labels = rendered(50, np.random.RandomState(0))
    assert np.array_equal(labels, np.tile(np.arange(10), 5))
    luminance = np.einsum("nchw,c->nhw", images, LUMINANCE)
    difference = np.abs(luminance - luminance[:, :1, :1])
    assert (difference.max(axis=(1, 2)) > 0.7 * CONTRAST).all()
    ink = (difference > CONTRAST / 2).mean(axis=(1, 2))
    assert ink.min() > 0.01
    assert ink.max() < 0.5


def _assert_equal(one, other):
    for mine, yours in zip(one.datasets, other.datasets, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.tensors, yours.tensors, strict=True))
