"""The search against a plain one, in ERM steps, and by its memory.

    python benchmarks/search.py [--candidates 60] [--rounds 5]

Plain: for each candidate one forward and backward pass per domain and a forward pass on the union, flat gradients.
Both search from the same weights with the same noise, in turn, in one process on one thread; times are CPU seconds,
ratios the median over rounds. The bound of a rejected candidate is two domain gradients: 2/D of the time of a forward
and backward pass over all domains. MNIST_CNN, 28x28, 32 samples per domain.
"""

import argparse
import copy
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed_gga.randomness import uniform
from domainbed_gga.search import Found, search

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "gga"))
from plain_search import plain_search

RHO, TOLERANCE, SEED = 1e-5, 0.1, 0


class Problem:
    """A network with data from domains that differ in contrast, brightness and what their labels depend on."""

    def __init__(self, domains: int, batch_size: int = 32, classes: int = 10):
        torch.manual_seed(SEED)
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
        """To where GGA begins: after some steps of training."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            self.loss(*range(len(self.data))).backward()
            optimizer.step()

    def erm(self) -> None:
        torch.autograd.grad(self.loss(*range(len(self.data))), list(self.network.parameters()))

    def moved(self) -> dict[str, Tensor]:
        return dict(self.features.named_parameters())

    def fast(self, candidates: int) -> Found:
        sizes, measured = [len(y) for _, y in self.data], list(self.network.parameters())
        return search(
            self.loss, sizes, self.moved(), measured, rho=RHO, steps=candidates, tolerance=TOLERANCE, seed=SEED
        )

    def plain(self, candidates: int) -> list[int]:
        return plain_search(
            lambda domains, _: self.loss(*domains),
            len(self.data),
            self.moved(),
            list(self.network.parameters()),
            lambda candidate, name, p: uniform(p, SEED, "noise", candidate, name),
            rho=RHO,
            steps=candidates,
            tolerance=TOLERANCE,
            proposal="walk",
        )


def cpu_seconds(work, *args):
    start = time.process_time()
    result = work(*args)
    return time.process_time() - start, result


def compare(domains: int, candidates: int, rounds: int) -> str:
    fast, plain, erm, spared, rejected = [], [], [], [], []
    problem = Problem(domains)
    weights = copy.deepcopy(problem.network.state_dict())
    for _ in range(rounds):
        start_cost, _ = cpu_seconds(problem.fast, 0)
        seconds, found = cpu_seconds(problem.fast, candidates)
        reached = copy.deepcopy(problem.network.state_dict())
        problem.network.load_state_dict(weights)
        plain_seconds, accepted = cpu_seconds(problem.plain, candidates)
        same = all(torch.equal(reached[name], value) for name, value in problem.network.state_dict().items())
        if not same or found.accepted != len(accepted):
            raise SystemExit(f"the searches differ: {found}, {accepted}")
        problem.network.load_state_dict(weights)
        step = statistics.median(cpu_seconds(problem.erm)[0] for _ in range(20))
        gradients = found.gradients / 2  # in candidates that fall at their first pair
        fast.append(seconds)
        plain.append(plain_seconds)
        erm.append(step)
        spared.append(found.gradients / (candidates * domains))
        rejected.append((seconds - start_cost) / gradients / (2 / domains * step))
    ratio = statistics.median(p / f for p, f in zip(plain, fast, strict=True))
    return (
        f"D = {domains}: {ratio:.2f}x faster; gradients {spared[-1]:.2f} of n*D, accepted {found.accepted}; "
        f"a pair of gradients costs {statistics.median(rejected):.2f} of its bound 2/D ERM steps "
        f"({statistics.median(erm) * 1e3:.0f} ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=60, help="per search (default 60)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default 5)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for domains in (3, 5):
        print(compare(domains, args.candidates, args.rounds), flush=True)


if __name__ == "__main__":
    main()
