"""Minibatches for tests of algorithms."""

import torch
from torch.utils.data import TensorDataset

from domainbed.test.helpers import DEBUG_DATASETS, make_minibatches


def test_minibatches_are_the_first_items_of_every_environment():
    environments = [TensorDataset(torch.rand(6, 3, 4, 4), torch.arange(6) + 10 * i) for i in range(2)]
    minibatches = make_minibatches(environments, 4)
    for environment, (x, y) in zip(environments, minibatches, strict=True):
        assert torch.equal(x.cpu(), environment.tensors[0][:4])
        assert torch.equal(y.cpu(), environment.tensors[1][:4])
    assert y.dtype == torch.int64
    assert x.is_cuda == torch.cuda.is_available()


def test_labels_may_be_plain_integers():
    ((_, y),) = make_minibatches([[(torch.zeros(2), 1), (torch.zeros(2), 0)]], 2)
    assert y.tolist() == [1, 0]


def test_the_debug_datasets_by_name():
    assert DEBUG_DATASETS == ["Debug28", "Debug224"]
