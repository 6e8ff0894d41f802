"""The search on points in the plane: x1 carries the class, x2 the domain.

    python docs/examples/figure1.py [--draws 10] [--output figure1.png]

Two training domains lie at different heights x2; nine tenths of the points of the upper one belong to one class, nine
tenths of the lower one to the other. The unseen domains lie there too, with the classes the other way round, so that
whoever takes height for the class is found out. Logistic regression on the polynomials of degree four takes 40 steps
of gradient descent: by itself (ERM), with a search before each of the steps 5 to 24 (GGA), and with the same
candidates accepted where the loss falls instead (descent), which tells what agreement adds to a walk downhill. Prints
accuracies on the training points and on the unseen domains, mean and standard error over draws of the data, also for
ERM and GGA with 1,000 steps, and draws the boundaries of the first draw. The setting is that of Figure 1 of A.
Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025.
"""

import argparse
import itertools
from collections.abc import Callable

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed_gga.randomness import uniform
from domainbed_gga.search import anneal

POWERS = [(i, j) for i, j in itertools.product(range(5), repeat=2) if i + j <= 4]
TRAINING, UNSEEN = [(1.1, 0.9), (-1.1, 0.1)], [(1.1, 0.1), (-1.1, 0.9)]  # height, and share of the points in class 1
WINDOW, RHO, CANDIDATES = range(5, 25), 0.05, 60

Points = tuple[Tensor, Tensor]


def draw(height: float, share: float, n: int, generator: torch.Generator) -> Points:
    """n points of a domain (n, 2) and their classes 0 and 1 (n,)."""
    y = (torch.rand(n, generator=generator) < share).float()
    centres = torch.stack([y - 0.5, torch.full((n,), height)], dim=1)
    return centres + 0.3 * torch.randn(n, 2, generator=generator), y


def polynomials(x: Tensor) -> Tensor:
    """The monomials of degree four or less of points (n, 2): (n, 15)."""
    return torch.stack([x[:, 0] ** i * x[:, 1] ** j for i, j in POWERS], dim=1)


def train(domains: list[Points], method: str, steps: int) -> Tensor:
    """The weights (15,) after training."""
    weights = torch.zeros(len(POWERS), requires_grad=True)
    data = [(polynomials(x), y) for x, y in domains]

    def loss(domain: int) -> Tensor:
        x, y = data[domain]
        return F.binary_cross_entropy_with_logits(x @ weights, y)

    for step in range(steps):
        if step in WINDOW and method == "GGA":
            sizes = [len(y) for _, y in data]
            anneal(loss, sizes, {"w": weights}, [weights], rho=RHO, steps=CANDIDATES, proposal="best", seed=step)
        if step in WINDOW and method == "descent":
            descend(lambda: loss(0) + loss(1), weights, seed=step)
        (gradient,) = torch.autograd.grad((loss(0) + loss(1)) / 2, weights)
        with torch.no_grad():
            weights -= 0.3 * gradient
    return weights.detach()


@torch.no_grad()
def descend(loss: Callable[[], Tensor], weights: Tensor, seed: int) -> None:
    """Move the weights as the search does, but to where the loss is smaller."""
    lowest = loss()
    for candidate in range(CANDIDATES):
        best = weights.clone()
        weights.add_(uniform(weights, seed, "noise", candidate, "w"), alpha=RHO)
        if (reached := loss()) < lowest:
            lowest = reached
        else:
            weights.copy_(best)


def accuracy(weights: Tensor, domains: list[Points]) -> float:
    hits = [((polynomials(x) @ weights > 0) == (y > 0)).float().mean() for x, y in domains]
    return float(torch.stack(hits).mean())


def boundaries(domains: list[Points], trained: dict[str, Tensor], path: str) -> None:
    """Draw the training points and each method's decision boundary."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    grid_x, grid_y = torch.meshgrid(torch.linspace(-2, 2, 200), torch.linspace(-2, 2, 200), indexing="xy")
    grid = polynomials(torch.stack([grid_x.flatten(), grid_y.flatten()], dim=1))
    figure, panels = plt.subplots(1, len(trained), figsize=(9, 4.2), sharey=True, layout="constrained")
    for panel, (name, weights) in zip(panels, trained.items(), strict=True):
        for (x, y), marker in zip(domains, "o^", strict=True):
            panel.scatter(x[:, 0], x[:, 1], c=y, cmap="coolwarm", marker=marker, edgecolor="white", linewidth=0.5)
        panel.contour(grid_x, grid_y, (grid @ weights).reshape(grid_x.shape), levels=[0.0], colors="black")
        panel.set(title=name, xlabel="$x_1$: the class")
    panels[0].set_ylabel("$x_2$: the domain (circles, triangles)")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=10, help="of the data (default 10)")
    parser.add_argument("--output", default="figure1.png", help="the picture (default figure1.png)")
    parser.add_argument("--csv", help="also write the accuracies here")
    args = parser.parse_args()
    runs = [("ERM", 40), ("GGA", 40), ("descent", 40), ("ERM", 1000), ("GGA", 1000)]
    accuracies: dict[tuple[str, int], list[list[float]]] = {run: [] for run in runs}
    for seed in range(args.draws):
        generator = torch.Generator().manual_seed(seed)
        domains = [draw(height, share, 100, generator) for height, share in TRAINING]
        unseen = [draw(height, share, 1000, generator) for height, share in UNSEEN]
        trained = {run: train(domains, *run) for run in runs}
        for run, weights in trained.items():
            accuracies[run].append([accuracy(weights, domains), accuracy(weights, unseen)])
        if seed == 0:
            boundaries(domains, {method: trained[method, 40] for method in ("ERM", "GGA")}, args.output)
    print("accuracy on training points and on unseen domains:")
    rows = []
    for (method, steps), of_draws in accuracies.items():
        table = torch.tensor(of_draws)
        (training, unseen), (error, error_unseen) = table.mean(0), table.std(0) / args.draws**0.5
        print(f"{method:7} {steps:4} steps: {training:.3f} +/- {error:.3f} and {unseen:.3f} +/- {error_unseen:.3f}")
        names = ("training", "training_error", "unseen", "unseen_error")
        values = (training.item(), error.item(), unseen.item(), error_unseen.item())
        rows.append({"method": method, "steps": steps, **dict(zip(names, values, strict=True))})
    if args.csv:
        pd.DataFrame(rows).to_csv(args.csv, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
