"""A folder of images and its dataset."""

import pytest
from small_images import make

from domainbed import datasets


@pytest.fixture
def pets(tmp_path):
    return make(tmp_path, "pets", ["photo", "sketch", "art"])


@pytest.fixture
def dataset_class():
    return datasets.get_dataset_class("ImageFolder:pets")
