"""RotatedMNIST and ColoredMNIST, on small files in the format of MNIST's."""

import functools
import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from domainbed.datasets import ColoredMNIST, RotatedMNIST
from domainbed.datasets.mnist import colored, rotated
from domainbed.errors import InputError

TRAIN, TEST = 60, 41


def idx(array):
    """The bytes of an IDX file: 0, 0, 8 for unsigned bytes, the number of dimensions, the sizes, the data."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture(scope="module")
def digits():
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (TRAIN + TEST, 28, 28)).astype(np.uint8)
    return images, random.randint(0, 10, TRAIN + TEST).astype(np.uint8)


def write(folder, digits):
    folder.mkdir(parents=True)
    images, labels = digits
    for part, where in (("train", slice(TRAIN)), ("t10k", slice(TRAIN, None))):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images[where]))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels[where]))


@pytest.fixture
def root(tmp_path, digits):
    write(tmp_path / "MNIST" / "raw", digits)
    return tmp_path


def test_the_shuffled_digits_are_dealt_out_in_turn(root, digits):
    torch.manual_seed(5)
    dataset = RotatedMNIST(root, [0], {})
    torch.manual_seed(5)
    order = torch.randperm(TRAIN + TEST).numpy()
    images, labels = digits
    x, y = dataset[0].tensors
    np.testing.assert_array_equal((x * 255).round().numpy()[:, 0], images[order][0::6])
    for i, environment in enumerate(dataset.datasets):
        np.testing.assert_array_equal(environment.tensors[1], labels[order][i::6])
        assert environment.tensors[0].shape == (len(environment), 1, 28, 28)
    assert y.dtype == torch.int64
    assert [len(environment) for environment in dataset.datasets] == [17, 17, 17, 17, 17, 16]
    assert (dataset.input_shape, dataset.num_classes, len(dataset)) == ((1, 28, 28), 10, 6)


@pytest.mark.parametrize("degrees", [0, 15, 75])
def test_rotation_is_that_of_torchvision(digits, degrees):
    images, labels = (torch.from_numpy(array) for array in digits)
    x, _ = rotated(images[:5], labels[:5], degrees).tensors
    bilinear = torchvision.transforms.InterpolationMode.BILINEAR
    for image, mine in zip(images, x, strict=False):
        turned = torchvision.transforms.functional.rotate(Image.fromarray(image.numpy()), degrees, bilinear)
        assert torch.equal(mine, torchvision.transforms.functional.to_tensor(turned))


def test_colours_follow_noisy_labels():
    """Two draws: the first flips the label where < 1/4, the second flips the colour where < e.

    Of 4,000 labels 1,000 are flipped and of the colours 800, give or take 5 standard deviations (27 and 25).
    """
    digits, images = torch.arange(4000) % 10, torch.full((4000, 28, 28), 51, dtype=torch.uint8)
    torch.manual_seed(0)
    x, y = colored(images, digits, 0.2).tensors
    torch.manual_seed(0)
    clean = (digits < 5).long()
    noisy = torch.where(torch.rand(4000) < 0.25, 1 - clean, clean)
    color = torch.where(torch.rand(4000) < 0.2, 1 - noisy, noisy)
    assert torch.equal(y, noisy)
    assert torch.equal(x[torch.arange(4000), color], torch.full((4000, 28, 28), 0.2))
    assert (x[torch.arange(4000), 1 - color] == 0).all()
    assert abs((noisy != clean).sum() - 1000) < 137
    assert abs((color != noisy).sum() - 800) < 127


def test_the_environments_of_colored_mnist_are_drawn_in_order(root, digits):
    images, labels = (torch.from_numpy(array) for array in digits)
    torch.manual_seed(7)
    dataset = ColoredMNIST(root, [], {})
    torch.manual_seed(7)
    order = torch.randperm(TRAIN + TEST)
    for i, noise in enumerate([0.1, 0.2, 0.9]):
        expected = colored(images[order][i::3], labels[order][i::3], noise)
        assert all(torch.equal(a, b) for a, b in zip(dataset[i].tensors, expected.tensors, strict=True))
    assert [len(environment) for environment in dataset.datasets] == [34, 34, 33]
    assert (dataset.input_shape, dataset.num_classes) == ((2, 28, 28), 2)


def test_the_layout_of_the_download_script_is_accepted(tmp_path, digits):
    write(tmp_path / "MNIST" / "MNIST" / "raw", digits)
    RotatedMNIST.check(tmp_path, {})
    assert sum(map(len, RotatedMNIST(tmp_path, [0], {}).datasets)) == TRAIN + TEST


@pytest.mark.parametrize("size", [0, 6, 16, 5000])
def test_a_torn_file_is_named(root, size):
    path = root / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="t10k-images-idx3-ubyte: not a whole file"):
        ColoredMNIST.check(root, {})


def test_without_a_folder():
    with pytest.raises(ValueError, match="Data directory not specified!"):
        RotatedMNIST(None, [0], {})


def test_an_unknown_source_is_refused(root):
    with pytest.raises(InputError, match="mnist_source must be one of download, sample, not 'smaple'"):
        RotatedMNIST.check(root, {"mnist_source": "smaple"})


def test_without_a_network_one_line_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(InputError, match=r"""--hparams '{"mnist_source": "sample"}'""") as caught:
        RotatedMNIST.check(tmp_path, {"mnist_source": "download"})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_downloaded_once(tmp_path, digits, monkeypatch, capfd):
    write(tmp_path / "server", digits)
    resources = []
    for path in sorted((tmp_path / "server").iterdir()):
        packed = gzip.compress(path.read_bytes())
        path.with_name(f"{path.name}.gz").write_bytes(packed)
        resources.append((f"{path.name}.gz", hashlib.md5(packed).hexdigest()))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "server")
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
        RotatedMNIST.check(tmp_path / "data", {})
        server.shutdown()
    RotatedMNIST.check(tmp_path / "data", {})
    assert sum(map(len, RotatedMNIST(tmp_path / "data", [0], {}).datasets)) == TRAIN + TEST


def test_the_sample_needs_no_folder():
    RotatedMNIST.check(None, {"mnist_source": "sample"})
    dataset = ColoredMNIST(None, [0], {"mnist_source": "sample"})
    assert sum(map(len, dataset.datasets)) == 5000
