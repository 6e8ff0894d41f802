"""Everything that an algorithm of other people remembers survives a checkpoint, or is named."""

import io
from collections import OrderedDict, defaultdict, deque

import numpy as np
import pytest
import torch
from builders import minibatches
from torch import nn

from domainbed.algorithms import Algorithm
from domainbed.errors import InputError


class Foreign(Algorithm):
    """Keeps its state wherever Python allows it, and uses all of it in every update."""

    def __init__(self, input_shape, num_classes, num_domains, hparams):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.network = nn.Linear(*input_shape, num_classes)
        self.unregistered = [nn.Linear(*input_shape, num_classes)]
        self.prompt = torch.zeros(num_classes, requires_grad=True)
        optimizers = [
            torch.optim.Adam(self.network.parameters(), lr=0.01),
            torch.optim.SGD(self.unregistered[0].parameters(), lr=0.1, momentum=0.9),
        ]
        self.optimizers = optimizers
        self.by_name = {"prompt": (torch.optim.Adam([self.prompt], lr=0.1),)}
        self.schedules = (torch.optim.lr_scheduler.StepLR(optimizers[0], 2), "per step")
        self.weights = list(self.network.parameters())
        self.spread = torch.zeros(1).expand(num_classes)
        self.running = np.zeros(num_classes)
        self.best = np.float64("inf")
        self.losses = deque(maxlen=3)
        self.seen = defaultdict(int)
        self.order = OrderedDict(first=[1, 2.5, None], second={"nested": (True, "text")})
        self.count = 0
        self.previous = None
        self.activation = torch.relu
        self.kind = torch.float32

    def update(self, minibatches, unlabeled=None):
        x = torch.cat([x for x, _ in minibatches])
        y = torch.cat([y for _, y in minibatches])
        logits = self.network(x) + self.unregistered[0](x) + self.prompt + 0.01 * self.spread
        if self.previous is not None:
            logits = logits + 0.1 * self.previous
        loss = nn.functional.cross_entropy(self.activation(logits), y) * (1 + self.count / 10 + self.running.mean())
        optimizers = [*self.optimizers, *self.by_name["prompt"]]
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        self.schedules[0].step()
        self.spread = 0.9 * self.spread + logits.detach().mean(0)
        self.previous = logits.detach().mean(0)  # no tensor before the first update
        self.running = 0.5 * self.running + logits.detach().numpy().mean(axis=0)
        self.best = min(self.best, np.float64(loss.item()))
        self.losses.append(loss.item())
        self.seen[int(y[0])] += 1
        self.order["first"].append(sum(self.losses) + self.best)
        self.count += 1
        sizes = sum(weight.norm().item() for weight in self.weights)
        return {"loss": loss.item(), "sizes": sizes, "mean": self.order["first"][-1], "seen": sum(self.seen.values())}

    def predict(self, x):
        return self.network(x)


def data(step):
    """Two minibatches; on the CPU, where all of Foreign's state is."""
    return [(x.cpu(), y.cpu()) for x, y in minibatches(step, (6, 6), shape=(4,), classes=3)]


def saved_and_loaded(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def foreign(seed=0):
    torch.manual_seed(seed)
    return Foreign((4,), 3, 2, {})


def test_state_in_containers_and_plain_attributes_continues_bit_identically():
    first, second = foreign(0), foreign(1)
    for step in range(3):
        first.update(data(step))
    objects = {name: getattr(second, name) for name in ("optimizers", "losses", "seen", "order", "prompt")}
    optimizer = second.optimizers[0]
    second.load_state_dict(saved_and_loaded(first.state_dict()))
    assert [second.update(data(step)) for step in (3, 4)] == [first.update(data(step)) for step in (3, 4)]
    # Loaded in place: who knew an object before still has the one that is used.
    assert all(getattr(second, name) is value for name, value in objects.items())
    assert second.optimizers[0] is optimizer is second.schedules[0].optimizer
    assert second.weights[0] is second.network.weight
    assert second.losses.maxlen == 3
    assert first.unsaved() == []


def test_loading_shares_no_memory_with_what_was_loaded():
    first, second = foreign(0), foreign(1)
    first.update(data(0))
    second.load_state_dict(first.state_dict())
    state = {name: value.clone() for name, value in first.state_dict().items() if name != "_extra_state"}
    momentum = first.optimizers[0].state_dict()["state"][0]["exp_avg"].clone()
    second.update(data(1))
    assert all(torch.equal(first.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(first.optimizers[0].state_dict()["state"][0]["exp_avg"], momentum)
    assert len(first.order["first"]) == 4


class Opaque:
    def __init__(self, value):
        self.value = value


def test_what_cannot_be_saved_is_named_with_its_place_and_the_rest_is_saved():
    first, second = foreign(0), foreign(1)
    for algorithm, value in ((first, 1), (second, 2)):
        algorithm.opaque = Opaque(value)
        algorithm.mixed = {"number": value, "parts": [value, Opaque(value)]}
    assert first.unsaved() == ["opaque (Opaque)", "mixed['parts'][1] (Opaque)"]
    second.load_state_dict(saved_and_loaded(first.state_dict()))
    assert second.opaque.value == 2
    assert second.mixed["number"] == second.mixed["parts"][0] == 1
    assert second.mixed["parts"][1].value == 2


def test_stateless_attributes_are_neither_saved_nor_named():
    class Caching(Foreign):
        STATELESS = ("cache", "opaque")

    algorithm = Caching((4,), 3, 2, {})
    algorithm.cache, algorithm.opaque = torch.zeros(1000), Opaque(1)
    assert algorithm.unsaved() == []
    assert {"cache", "opaque"}.isdisjoint(algorithm.get_extra_state())


def test_an_object_that_the_constructor_does_not_make_is_named_on_loading():
    first, second = foreign(0), foreign(1)
    first.late = [torch.optim.SGD(first.network.parameters(), lr=0.1)]
    with pytest.raises(InputError, match=r"late\[0\] has a saved state, but the constructor makes no object"):
        second.load_state_dict(saved_and_loaded(first.state_dict()))


def test_parameters_and_modules_in_containers_are_not_saved_a_second_time():
    algorithm = foreign()
    algorithm.parts = (algorithm.network, algorithm.network.weight, 7)
    not_saved = {"__not_saved__": None}
    assert algorithm.get_extra_state()["parts"] == (not_saved, not_saved, 7)


def test_a_tensor_with_a_graph_is_saved_as_a_constant():
    first, second = foreign(0), foreign(1)
    first.history = [(first.network.weight * 2).sum()]
    second.load_state_dict(saved_and_loaded(first.state_dict()))
    assert second.history == [(first.network.weight * 2).sum()]
    assert not second.history[0].requires_grad
