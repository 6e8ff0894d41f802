"""The small classification task of the benchmarks, and CPU time."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks


class Task:
    """A network with data from domains that differ in contrast, brightness and what their labels depend on."""

    def __init__(self, domains: int, batch_size: int = 32, classes: int = 10):
        torch.manual_seed(0)
        self.features = networks.MNIST_CNN((1, 28, 28))
        self.network = nn.Sequential(self.features, nn.Linear(self.features.n_outputs, classes))
        self.data = [self._domain(d, batch_size, classes) for d in range(domains)]
        self.warm_up()

    def _domain(self, d: int, n: int, classes: int) -> tuple[Tensor, Tensor]:
        y = torch.randint(classes, (n,))
        x = torch.randn(n, 1, 28, 28) * (1 + 0.2 * d) + 0.1 * d
        x[torch.arange(n), 0, 2 * y, :] += 2.0
        return x, y

    def loss(self, *domains: int) -> Tensor:
        x, y = (torch.cat(parts) for parts in zip(*(self.data[d] for d in domains), strict=True))
        return F.cross_entropy(self.network(x), y)

    def warm_up(self, steps: int = 20) -> None:
        """Train for some steps, as before the window of GGA."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            self.loss(*range(len(self.data))).backward()
            optimizer.step()

    def erm(self, *domains: int) -> None:
        """A forward and backward pass over these domains, over all if none is given."""
        torch.autograd.grad(self.loss(*(domains or range(len(self.data)))), list(self.network.parameters()))

    def moved(self) -> dict[str, Tensor]:
        return dict(self.features.named_parameters())

    def measured(self) -> list[Tensor]:
        return list(self.network.parameters())


def cpu_seconds(work, *args):
    start = time.process_time()
    result = work(*args)
    return time.process_time() - start, result
