"""The loaders under DomainBed's path: what a pass is, what is dropped, what has a length."""

import itertools

import pytest
import torch
from torch.utils.data import TensorDataset

from domainbed.errors import InputError
from domainbed.lib.fast_data_loader import (
    FastDataLoader,
    InfiniteDataLoader,
    InfiniteDataLoaderWithoutReplacement,
)

TEN = TensorDataset(torch.arange(10))


def take(loader, batches):
    return [batch.tolist() for (batch,) in itertools.islice(loader, batches)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fast_pass_shows_every_item_once_and_keeps_the_short_batch(workers):
    loader = FastDataLoader(TEN, 4, workers)
    first, second = ([batch.tolist() for (batch,) in loader] for _ in range(2))
    assert len(loader) == 3
    for batches in (first, second):
        assert [len(batch) for batch in batches] == [4, 4, 2]
        assert sorted(itertools.chain(*batches)) == list(range(10))
    assert first != second


def test_without_replacement_a_pass_is_a_permutation_cut_in_full_batches():
    batches = take(InfiniteDataLoaderWithoutReplacement(TEN, None, 4, 0), 40)
    for first, second in zip(batches[::2], batches[1::2], strict=True):
        assert len(set(first + second)) == 8


def test_with_replacement_an_item_comes_twice_within_a_pass():
    batches = take(InfiniteDataLoader(TEN, None, 5, 0), 40)
    assert all(len(batch) == 5 for batch in batches)
    assert any(len(set(batch)) < 5 for batch in batches)


@pytest.mark.parametrize("loader_class", [InfiniteDataLoader, InfiniteDataLoaderWithoutReplacement])
def test_weights_decide_what_is_drawn_and_allow_batches_larger_than_the_data(loader_class):
    weights = torch.zeros(10)
    weights[[2, 7]] = 0.5
    drawn = list(itertools.chain(*take(loader_class(TEN, weights, 16, 0), 4)))
    assert len(drawn) == 64
    assert set(drawn) == {2, 7}


@pytest.mark.parametrize("loader_class", [InfiniteDataLoader, InfiniteDataLoaderWithoutReplacement])
def test_an_infinite_loader_has_no_length_and_goes_on_where_it_stopped(loader_class):
    torch.manual_seed(0)
    loader = loader_class(TEN, None, 4, 0)
    halves = take(loader, 3) + take(loader, 3)
    torch.manual_seed(0)
    assert halves == take(loader_class(TEN, None, 4, 0), 6)
    with pytest.raises(ValueError, match="no length"):
        len(loader)


@pytest.mark.parametrize("loader_class", [InfiniteDataLoader, InfiniteDataLoaderWithoutReplacement])
def test_a_batch_that_can_never_be_filled_is_refused(loader_class):
    with pytest.raises(InputError, match=r"11 .* 10"):
        loader_class(TEN, None, 11, 0)
    with pytest.raises(InputError, match="has 0"):
        FastDataLoader(TensorDataset(torch.empty(0)), 4, 0)
