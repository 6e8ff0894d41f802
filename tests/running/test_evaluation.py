"""Accuracy over a loader: counts, weights, one-column logits."""

import pytest
import torch
from builders import IMAGE, build

from domainbed.algorithms import Algorithm
from domainbed.errors import InputError
from domainbed.running.evaluation import TrainingDomains, accuracy, evaluation_batch


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


def of_records(algorithm, loader=LOADER):
    return accuracy(algorithm, loader, None, "cpu")


def held_out(algorithm, loader=LOADER):
    return TrainingDomains(algorithm, torch.device("cpu"), lambda: [loader], iter).held_out()


def of_held_out(algorithm, loader=LOADER):
    return held_out(algorithm, loader).accuracy


EVALUATIONS = [of_records, of_held_out]


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


@pytest.mark.parametrize("evaluate", EVALUATIONS)
def test_what_predictions_leave_in_an_algorithm_can_be_trained_with(evaluate):
    """A tensor of inference mode could not be: autograd refuses to keep it, and nothing can be loaded into it."""
    algorithm = Remembering()
    evaluate(algorithm)
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


@pytest.mark.parametrize("evaluate", EVALUATIONS)
def test_predictions_that_follow_a_gradient_say_so_by_their_batch(evaluate):
    assert evaluate(Contextual((3,), 3, 1, {})) == 3 / 5


class OutOfMemory(Given):
    """Has memory for a number of samples, and counts how often it was short of it."""

    def __init__(self, fits):
        super().__init__((3,), 3, 1, {})
        self.fits, self.refused = fits, 0

    def predict(self, x):
        assert torch.is_inference_mode_enabled()
        if len(x) > self.fits:
            self.refused += 1
            raise torch.cuda.OutOfMemoryError
        return super().predict(x)


@pytest.mark.parametrize("evaluate", EVALUATIONS)
def test_batches_that_do_not_fit_are_halved_once_for_all(evaluate):
    """6 samples at once, then 3, then 1: twice too many, in the first batch alone."""
    algorithm, batch = OutOfMemory(2), (LOGITS[[0, 1, 2, 3, 4, 0]], LABELS[[0, 1, 2, 3, 4, 0]])
    assert evaluate(algorithm, [batch] * 3) == 4 / 6
    assert algorithm.refused == 2
    assert algorithm.training
    with pytest.raises(torch.cuda.OutOfMemoryError):
        evaluate(OutOfMemory(0), LOADER)


def test_accuracy_and_loss_on_held_out_samples(given):
    """The mean over five samples in two batches, not over batches; what a sample costs is log sum exp - its logit."""
    found = held_out(given)
    assert found.accuracy == 3 / 5
    expected = (LOGITS.double().exp().sum(1).log() - LOGITS.double()[range(5), LABELS]).mean()
    assert found.loss == pytest.approx(expected.item(), rel=1e-12)


def test_batches_are_64_where_predictions_depend_on_them_and_large_elsewhere():
    cpu = torch.device("cpu")
    assert {name: evaluation_batch(build(name), IMAGE, cpu) for name in ("ARM", "MTL", "ARM_GGA", "ERM")} == {
        "ARM": 64, "MTL": 64, "ARM_GGA": 64, "ERM": 111,
    }  # fmt: skip
    assert evaluation_batch(build("ERM"), (3, 224, 224), cpu) == 32
    assert evaluation_batch(build("ERM"), (3, 224, 224), torch.device("cuda")) > 400
