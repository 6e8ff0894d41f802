"""What Digits promises: the same digits always, none of them twice, kept safely."""

import numpy as np
import pytest
import torch

from domainbed.datasets import Digits
from domainbed.datasets.digit_sources import LUMINANCE, over_photographs, rendered
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


def test_digits_are_the_ones_that_results_were_measured_on(digits):
    """With every version of the libraries that they come from (matplotlib 3.8 lacks fonts that 3.11 has)."""
    brightness = [float(environment.tensors[0].mean()) for environment in digits.datasets]
    assert brightness == pytest.approx([0.131017, 0.417212, 0.305479, 0.428635], abs=2e-5)


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
    """Over a black image the crop is unchanged, over a white one it is inverted."""
    black, white = np.zeros((5, 28, 28), np.uint8), np.full((5, 28, 28), 255, np.uint8)
    crops = over_photographs(black, np.random.RandomState(0))
    assert np.array_equal(over_photographs(white, np.random.RandomState(0)), 255 - crops)


def test_rendered_digits_stand_out_from_their_background():
    images, labels = rendered(50, np.random.RandomState(0))
    assert np.array_equal(labels, np.tile(np.arange(10), 5))
    luminance = np.einsum("nchw,c->nhw", images, LUMINANCE)
    corner, extent = luminance[:, 0, 0], np.ptp(luminance, axis=(1, 2))
    assert (extent > 100).all()
    assert (np.abs(luminance - corner[:, None, None]) > 50).mean() > 0.05


def _assert_equal(one, other):
    for mine, yours in zip(one.datasets, other.datasets, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.tensors, yours.tensors, strict=True))
