"""Standard deviation of sim over dropout masks, beside that over perturbations.

    python benchmarks/masks.py [--draws 12]

Standard deviation of the smallest cosine (a) at fixed weights, a new mask for every evaluation; (b) at perturbed
weights θ0 + ρu, ρ = 1e-5, one mask for all. MNIST_CNN, 28x28, dropout 0.5 before the classifier, 32 samples per domain,
after 20 steps of training.
"""

import argparse

import torch
from csv_record import add_csv_flag, write_csv
from task import Task
from torch import nn

from domainbed_gga.randomness import uniform
from domainbed_gga.similarity import DomainGradients
from domainbed_gga.state import preserve_random_states


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=12, help="masks, and perturbations (default 12)")
    add_csv_flag(parser)
    args = parser.parse_args()
    draws = range(args.draws)
    torch.set_num_threads(1)
    rows = []
    for domains in (3, 5):
        task = Task(domains)
        task.network.insert(1, nn.Dropout(0.5))
        gradients = DomainGradients(task.loss, [1] * domains, task.measured())
        with preserve_random_states([]):
            over_masks = [gradients.measure(draw).sim for draw in draws]
            over_weights = []
            for draw in draws:
                before = [p.detach().clone() for p in task.moved().values()]
                with torch.no_grad():
                    for name, p in task.moved().items():
                        p.add_(uniform(p, draw, name), alpha=1e-5)
                    over_weights.append(gradients.measure(0).sim)
                    for p, value in zip(task.moved().values(), before, strict=True):
                        p.copy_(value)
        masks, weights = (torch.tensor(sims).std().item() for sims in (over_masks, over_weights))
        rows.append({"domains": domains, "over_masks": masks, "over_perturbations": weights})
        print(
            f"D = {domains}: masks {masks:.1e}, perturbations {weights:.1e}, {masks / weights:.0f} times as much",
            flush=True,
        )
    write_csv(args.csv, rows)


if __name__ == "__main__":
    main()
