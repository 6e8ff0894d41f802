import torch
from small import data

from domainbed.algorithms.pairing import random_pairs_of_minibatches, split_meta_train_test


def domain_of(minibatch, minibatches) -> int:
    return next(d for d, (x, _) in enumerate(minibatches) if torch.equal(x[: len(minibatch[0])], minibatch[0]))


def test_every_domain_is_first_once_and_second_once_in_the_order_of_one_randperm():
    minibatches = data(4, 6, 5, 3)
    torch.manual_seed(3)
    order = torch.randperm(4).tolist()
    torch.manual_seed(3)
    pairs = random_pairs_of_minibatches(minibatches)
    assert [domain_of(first, minibatches) for first, _ in pairs] == order
    assert [domain_of(second, minibatches) for _, second in pairs] == [*order[1:], order[0]]


def test_pairs_have_the_length_of_the_shorter_one():
    for first, second in random_pairs_of_minibatches(data(4, 6, 2)):
        assert len(first[0]) == len(first[1]) == len(second[0]) == len(second[1])
        assert len(first[0]) in (2, 4)


def test_meta_test_domains_are_the_last_of_one_randperm_and_taken_in_turn():
    minibatches = data(4, 4, 4, 4, 4)
    torch.manual_seed(3)
    order = torch.randperm(5).tolist()
    torch.manual_seed(3)
    pairs = split_meta_train_test(minibatches, 2)
    assert [(domain_of(a, minibatches), domain_of(b, minibatches)) for a, b in pairs] == [
        (order[0], order[3]),
        (order[1], order[4]),
        (order[2], order[3]),
    ]
