import pytest
import torch
import torch.nn.functional as F
from small import data, small

from domainbed.algorithms.minibatches import domain_labels, pool
from domainbed.algorithms.trm import hessian_product, inverse_hessian_product, linear_gradient


@pytest.fixture
def head():
    """Features, labels, weights of the samples, and a linear head W, b."""
    stream = torch.Generator().manual_seed(0)
    z = torch.randn(8, 4, dtype=torch.float64, generator=stream)
    weight = torch.randn(3, 4, dtype=torch.float64, generator=stream).requires_grad_()
    bias = torch.randn(3, dtype=torch.float64, generator=stream)
    return z, torch.randint(0, 3, (8,), generator=stream), torch.rand(8, generator=stream).double(), weight, bias


def test_closed_forms_are_the_derivatives_of_the_risk(head):
    z, y, shares, weight, bias = head
    v = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def risk(w):
        return shares @ F.cross_entropy(z @ w.T + bias, y, reduction="none")

    logits = (z @ weight.T + bias).detach()
    torch.testing.assert_close(linear_gradient(logits, z, y, shares), torch.autograd.grad(risk(weight), weight)[0])
    _, expected = torch.autograd.functional.hvp(risk, weight.detach(), v)
    torch.testing.assert_close(hessian_product(logits, z, shares, v), expected)


def test_the_series_holds_its_first_power_twice_and_stops_where_it_grows(head):
    z, _, shares, weight, bias = head
    logits, v = (z @ weight.T + bias).detach(), torch.full((3, 4), 1e-3, dtype=torch.float64)
    powers = [v]
    for _ in range(10):
        powers.append(powers[-1] - hessian_product(logits, 0.1 * z, shares, powers[-1]))
    torch.testing.assert_close(
        inverse_hessian_product(logits, 0.1 * z, shares, v), sum(powers[1:], start=torch.zeros_like(v)) + powers[1]
    )
    large = 1e6 * v
    torch.testing.assert_close(
        inverse_hessian_product(logits, 0.1 * z, shares, large),
        2 * (large - hessian_product(logits, 0.1 * z, shares, large)),
    )


def test_until_iters_it_is_erm():
    algorithm, erm, minibatches = small("TRM", domains=3, iters=1), small("ERM"), data(6, 6, 6)
    erm.classifier.load_state_dict(algorithm.classifier.state_dict())
    erm.featurizer.load_state_dict(algorithm.featurizer.state_dict())
    got = algorithm.update(minibatches)
    assert (got["nll"], got["trm_loss"]) == (pytest.approx(erm.update(minibatches)["loss"]), 0)
    torch.testing.assert_close(algorithm.classifier.weight, erm.classifier.weight)


def test_heads_are_fitted_to_their_own_domain_alone():
    """Thirty steps of SGD at 0.1, as torch takes them."""
    algorithm, minibatches = small("TRM", domains=3), data(4, 6, 5)
    heads = []
    for d, (x, y) in enumerate(minibatches):
        head = torch.nn.Linear(5, 3).double()
        head.weight.data, head.bias.data = algorithm.head_weights[d].double(), algorithm.head_biases[d].double()
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        z = algorithm.featurizer(x).detach()
        for _ in range(30):
            optimizer.zero_grad()
            F.cross_entropy(head(z), y).backward()
            optimizer.step()
        heads.append(head)
    x, y = pool(minibatches)
    algorithm.transfer_risk(algorithm.featurizer(x), y, domain_labels(minibatches))
    torch.testing.assert_close(algorithm.head_weights, torch.stack([head.weight.detach() for head in heads]))
    torch.testing.assert_close(algorithm.head_biases, torch.stack([head.bias.detach() for head in heads]))


def test_alpha_weighs_the_other_domains_before_and_their_gradients_after_its_update():
    """With cos_lambda = 0: the value is Σ α CE, α = 1/2 each, the gradient that of Σ α' CE, α' = α exp(η α CE)."""
    algorithm, minibatches = small("TRM", domains=3, cos_lambda=0.0, groupdro_eta=0.3), data(4, 6, 5)
    x, y = pool(minibatches)
    z = algorithm.featurizer(x).detach().requires_grad_()
    swap = algorithm.transfer_risk(z, y, domain_labels(minibatches))
    parts, labels = z.split((4, 6, 5)), y.split((4, 6, 5))
    value, surrogate = 0.0, 0.0
    for q in range(3):
        for i in {0, 1, 2} - {q}:
            risk = F.cross_entropy(parts[i] @ algorithm.head_weights[q].T + algorithm.head_biases[q], labels[i])
            new = 0.5 * torch.exp(0.15 * risk.detach())
            torch.testing.assert_close(algorithm.alpha[q, i], new)
            value += 0.5 * risk.item() / 3
            surrogate = surrogate + new * risk / 3
    assert swap.item() == pytest.approx(value)
    torch.testing.assert_close(torch.autograd.grad(swap, z), torch.autograd.grad(surrogate, z))


def test_the_names_of_parameters_are_those_of_features_and_classifier():
    assert {name.split(".")[0] for name, _ in small("TRM", domains=3).named_parameters()} == {
        "featurizer",
        "classifier",
    }
