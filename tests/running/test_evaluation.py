"""Accuracy over a loader: counts, weights, one-column logits."""

import pytest
import torch

from domainbed.algorithms import Algorithm
from domainbed.errors import InputError
from domainbed.running.evaluation import accuracy


class Given(Algorithm):
    """Predicts its input."""

    def predict(self, x):
        assert not self.training
        assert not torch.is_grad_enabled()
        return x


@pytest.fixture
def given():
    return Given((3,), 3, 1, {})


LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
LABELS = torch.tensor([0, 1, 0, 0, 1])  # right, right, wrong, right, wrong
LOADER = [(LOGITS[:3], LABELS[:3]), (LOGITS[3:], LABELS[3:])]


def test_accuracy_is_the_share_of_hits_over_batches_of_any_size(given):
    assert accuracy(given, LOADER, None, "cpu") == 3 / 5
    assert given.training


def test_weights_follow_the_samples_across_batches(given):
    """Weights 1 2 3 4 5 on right right wrong right wrong: (1 + 2 + 4) / 15."""
    assert accuracy(given, LOADER, torch.arange(1.0, 6.0), "cpu") == 7 / 15


def test_one_column_counts_samples_not_pairs(given):
    """Signs + - + + against 1 0 0 1: three of four, where a broadcast to 4 x 4 would count up to 16."""
    logits = torch.tensor([[1.0], [-1.0], [0.5], [2.0]])
    assert accuracy(given, [(logits, torch.tensor([1, 0, 0, 1]))], None, "cpu") == 0.75


def test_an_empty_loader_is_an_error_with_a_reason(given):
    with pytest.raises(InputError, match="no samples"):
        accuracy(given, [], None, "cpu")
