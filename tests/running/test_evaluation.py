"""Accuracy over a loader: counts, weights, one-column logits."""

import pytest
import torch
from builders import IMAGE, build

from domainbed.algorithms import Algorithm
from domainbed.errors import InputError
from domainbed.running.evaluation import accuracy, evaluation_batch


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


class Remembering(Given):
    """Keeps what it predicts, in an attribute, a list and a buffer, as adaptation at test time does."""

    def __init__(self):
        super().__init__((3,), 3, 1, {})
        self.register_buffer("mean", torch.zeros(3))
        self.seen, self.weight = [], torch.nn.Parameter(torch.ones(3))

    def predict(self, x):
        self.last, self.mean = 2 * x, x.mean(dim=0)
        self.seen = [*self.seen, x + 1]
        return super().predict(x)


def test_what_predictions_leave_in_an_algorithm_can_be_trained_with():
    """A tensor of inference mode could not be: autograd refuses to keep it, and nothing can be loaded into it."""
    algorithm = Remembering()
    accuracy(algorithm, LOADER, None, "cpu")
    for tensor in (algorithm.last, algorithm.mean, *algorithm.seen):
        algorithm.zero_grad()
        (algorithm.weight * tensor).sum().backward()
    algorithm.mean.copy_(torch.ones(3))


class Contextual(Algorithm):
    """Follows a gradient in its predictions, and declares how many samples a prediction is for."""

    EVALUATION_BATCH = 64

    def predict(self, x):
        with torch.enable_grad():
            w = torch.ones(3, requires_grad=True)
            (gradient,) = torch.autograd.grad((w * x).sum(), w)
        return x + 0 * gradient


def test_predictions_that_follow_a_gradient_say_so_by_their_batch():
    assert accuracy(Contextual((3,), 3, 1, {}), LOADER, None, "cpu") == 3 / 5


class OutOfMemory(Given):
    """Has memory for two samples."""

    def predict(self, x):
        if len(x) > 2:
            raise torch.cuda.OutOfMemoryError
        return super().predict(x)


def test_a_batch_that_does_not_fit_is_halved():
    assert accuracy(OutOfMemory((3,), 3, 1, {}), LOADER, None, "cpu") == 3 / 5


def test_batches_are_64_where_predictions_depend_on_them_and_large_elsewhere():
    cpu = torch.device("cpu")
    assert {name: evaluation_batch(build(name), IMAGE, cpu) for name in ("ARM", "MTL", "ARM_GGA", "ERM")} == {
        "ARM": 64, "MTL": 64, "ARM_GGA": 64, "ERM": 111,
    }  # fmt: skip
    assert evaluation_batch(build("ERM"), (3, 224, 224), cpu) == 32
    assert evaluation_batch(build("ERM"), (3, 224, 224), torch.device("cuda")) > 400
