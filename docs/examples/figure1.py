"""The search on points in the plane: x1 carries the class, x2 the domain.

    python docs/examples/figure1.py [--draws 10] [--output figure1.png]

Two training domains lie at different heights x2. Within each, height goes with the class as well, upwards in one and
downwards in the other, so that a bent boundary fits the training points better and fails where height means nothing.
Logistic regression on the polynomials of degree four takes 100 steps of gradient descent, by itself (ERM) and with a
search before each of the steps 10 to 39 (GGA). Prints both accuracies on the training points and on two unseen
domains, mean and standard error over draws of the data, and draws the boundaries of the first draw. The setting is
that of Figure 1 of A. Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025.
"""

import argparse
import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed_gga.search import search

POWERS = [(i, j) for i, j in itertools.product(range(5), repeat=2) if i + j <= 4]
TRAINING, UNSEEN = [(-0.5, 0.4), (0.5, -0.4)], [(-1.2, 0.0), (1.2, 0.0)]  # height, and how far it goes with the class

Points = tuple[Tensor, Tensor]


def draw(height: float, slope: float, n: int, generator: torch.Generator) -> Points:
    """n points of a domain (n, 2) and their classes 0 and 1 (n,)."""
    y = torch.randint(2, (n,), generator=generator).float()
    side = 2 * y - 1
    x1 = 0.5 * side + 0.5 * torch.randn(n, generator=generator)
    x2 = height + slope * side + 0.2 * torch.randn(n, generator=generator)
    return torch.stack([x1, x2], dim=1), y


def polynomials(x: Tensor) -> Tensor:
    """The monomials of degree four or less of points (n, 2): (n, 15)."""
    return torch.stack([x[:, 0] ** i * x[:, 1] ** j for i, j in POWERS], dim=1)


def train(domains: list[Points], window: range) -> Tensor:
    """The weights (15,) after training, with a search before each step of the window."""
    weights = torch.zeros(len(POWERS), requires_grad=True)
    data = [(polynomials(x), y) for x, y in domains]

    def loss(domain: int) -> Tensor:
        x, y = data[domain]
        return F.binary_cross_entropy_with_logits(x @ weights, y)

    for step in range(100):
        if step in window:
            search(loss, [len(y) for _, y in data], {"weights": weights}, [weights], rho=0.2, steps=40, seed=step)
        (gradient,) = torch.autograd.grad(loss(0) + loss(1), weights)
        with torch.no_grad():
            weights -= 0.25 * gradient
    return weights.detach()


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
    args = parser.parse_args()
    rows: dict[str, list[list[float]]] = {"ERM": [], "GGA": []}
    for seed in range(args.draws):
        generator = torch.Generator().manual_seed(seed)
        domains = [draw(height, slope, 40, generator) for height, slope in TRAINING]
        unseen = [draw(height, slope, 1000, generator) for height, slope in UNSEEN]
        trained = {"ERM": train(domains, range(0)), "GGA": train(domains, range(10, 40))}
        for name, weights in trained.items():
            rows[name].append([accuracy(weights, domains), accuracy(weights, unseen)])
        if seed == 0:
            boundaries(domains, trained, args.output)
    for name, accuracies in rows.items():
        table = torch.tensor(accuracies)
        mean, error = table.mean(0), table.std(0, correction=0) / args.draws**0.5
        print(f"{name}: training {mean[0]:.3f} +/- {error[0]:.3f}, unseen {mean[1]:.3f} +/- {error[1]:.3f}")


if __name__ == "__main__":
    main()
