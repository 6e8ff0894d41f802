"""Similarity gained by each proposal, per second and per domain gradient, at equal ρ.

    python benchmarks/ascent.py [--candidates 40] [--rho 1e-5]

One search by each from the same weights; CPU seconds on one thread. A double backward pass through the losses of two
domains counts as two gradients more. MNIST_CNN, 28x28, 32 samples per domain, after 20 steps of training.
"""

import argparse
import copy

import torch
from csv_record import add_csv_flag, write_csv
from task import Task, cpu_seconds

from domainbed_gga.search import PROPOSALS, SearchResult, anneal


def run(task: Task, steps: int, proposal: str, rho: float) -> SearchResult:
    sizes = [len(y) for _, y in task.data]
    return anneal(task.loss, sizes, task.moved(), task.measured(), rho=rho, steps=steps, proposal=proposal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=40, help="of walk and best (default 40)")
    parser.add_argument("--ascent-steps", type=int, default=5, help="of ascent (default 5)")
    parser.add_argument("--rho", type=float, default=1e-5, help="half width of a perturbation (default 1e-5)")
    add_csv_flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print("D  proposal  similarity before, gained  gradients  seconds  gained per gradient, per second")
    for domains in (3, 5):
        task = Task(domains)
        weights = copy.deepcopy(task.network.state_dict())
        for proposal in PROPOSALS:
            task.network.load_state_dict(weights)
            steps = args.ascent_steps if proposal == "ascent" else args.candidates
            before, _ = cpu_seconds(run, task, 0, proposal, args.rho)
            seconds, found = cpu_seconds(run, task, steps, proposal, args.rho)
            gained, seconds = found.sim_end - found.sim_start, seconds - before
            row = {"domains": domains, "proposal": proposal, "sim_before": found.sim_start, "gained": gained}
            rows.append(row | {"gradients": found.gradients, "seconds": seconds})
            print(
                f"{domains}  {proposal:8s}  {found.sim_start:.4f}  {gained:.1e}  {found.gradients:3d}  {seconds:5.1f}"
                f"  {gained / found.gradients:.1e}  {gained / seconds:.1e}",
                flush=True,
            )
    write_csv(args.csv, rows)


if __name__ == "__main__":
    main()
