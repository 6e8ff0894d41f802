"""The search against a plain one, in ERM steps, and by its memory.

    python benchmarks/search.py [--candidates 60] [--rounds 5]

Plain: for each candidate one forward and backward pass per domain and a forward pass on the union, flat gradients.
Both search from the same weights with the same noise, in turn, in one process on one thread; times are CPU seconds,
ratios the median over rounds. The bound of a rejected candidate is two domain gradients: 2/D of the time of a forward
and backward pass over all domains. The ratio can be no more than the plain search's time over that of two domain
gradients for each candidate: (D g + f) / 2 g where a gradient takes g and a forward pass on the union f, which is about
g at D = 3. MNIST_CNN, 28x28, 32 samples per domain.
"""

import argparse
import copy
import resource
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from csv_record import add_csv_flag, write_csv
from task import Task, cpu_seconds
from torch import Tensor

from domainbed_gga.randomness import uniform
from domainbed_gga.search import SearchResult, anneal

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "gga"))
from plain_search import plain_search

RHO, TOLERANCE, SEED = 1e-5, 0.1, 0
MEMORY_AT = (2, 20)  # candidates of the searches whose memory is compared


def fast(task: Task, candidates: int) -> SearchResult:
    sizes = [len(y) for _, y in task.data]
    return anneal(
        task.loss, sizes, task.moved(), task.measured(), rho=RHO, steps=candidates, tolerance=TOLERANCE, seed=SEED
    )


def plain(task: Task, candidates: int) -> list[int]:
    return plain_search(
        lambda domains, _: task.loss(*domains),
        len(task.data),
        task.moved(),
        task.measured(),
        lambda candidate, name, p: uniform(p, SEED, "noise", candidate, name),
        rho=RHO,
        steps=candidates,
        tolerance=TOLERANCE,
        proposal="walk",
    )


def compare(domains: int, candidates: int, rounds: int) -> dict[str, float]:
    """Both searches in turn; stops where a decision or a weight differs."""
    task = Task(domains)
    weights = copy.deepcopy(task.network.state_dict())
    faster, fastest, bound, in_steps = [], [], [], []
    for _ in range(rounds):
        before, _ = cpu_seconds(fast, task, 0)
        seconds, found = cpu_seconds(fast, task, candidates)
        reached = copy.deepcopy(task.network.state_dict())
        task.network.load_state_dict(weights)
        plain_seconds, accepted = cpu_seconds(plain, task, candidates)
        same = all(torch.equal(reached[name], value) for name, value in task.network.state_dict().items())
        if not same or found.accepted != len(accepted):
            raise SystemExit(f"the searches differ: {found}, {accepted}")
        task.network.load_state_dict(weights)
        step = statistics.median(cpu_seconds(task.erm)[0] for _ in range(10))
        gradient = statistics.median(cpu_seconds(task.erm, domain)[0] for domain in range(domains) for _ in range(5))
        rejected = (seconds - before - found.accepted * step) / (candidates - found.accepted)
        faster.append(plain_seconds / seconds)
        fastest.append(plain_seconds / (candidates * 2 * gradient))
        bound.append(rejected / (2 / domains * step))
        in_steps.append(plain_seconds / candidates / step)
    measured = {"faster": faster, "at_most": fastest, "rejected_over_bound": bound, "plain_in_erm_steps": in_steps}
    medians = {name: statistics.median(values) for name, values in measured.items()}
    share = found.gradients / (candidates * domains)
    return {"domains": domains, **medians, "accepted": found.accepted, "share_of_gradients": share}


def summary(row: dict[str, float], candidates: int) -> str:
    """The comparison in words."""
    return (
        f"D = {row['domains']}: {row['faster']:.2f}x faster than the plain search, same decisions, "
        f"of at most {row['at_most']:.2f}x with two gradients a candidate and nothing else, "
        f"{row['accepted']} of {candidates} accepted, {row['share_of_gradients']:.2f} of its gradients; "
        f"a rejected candidate costs {row['rejected_over_bound']:.2f} of the bound, a plain one "
        f"{row['plain_in_erm_steps']:.2f} ERM steps"
    )


def copies_of_weights(proposal: str) -> tuple[float, ...]:
    """Peak memory of searches of a ResNet-50 with MEMORY_AT candidates, beyond its domain gradients, in its weights."""
    from torchvision.models import resnet50

    network = resnet50().eval()
    parameters = list(network.parameters())
    images = torch.randn(3, 1, 3, 64, 64)
    size = sum(p.numel() * p.element_size() for p in parameters)

    def loss(domain: int) -> Tensor:
        return network(images[domain]).square().sum()

    gradients = [torch.autograd.grad(loss(domain), parameters) for domain in range(3)]
    del gradients
    peaks = [peak_bytes()]
    for candidates in MEMORY_AT:
        moved = {name: p for name, p in network.named_parameters() if not name.startswith("fc")}
        anneal(loss, [1, 1, 1], moved, parameters, rho=1e-3, steps=candidates, proposal=proposal, tolerance=1e9)
        peaks.append(peak_bytes())
    return tuple((peak - peaks[0]) / size for peak in peaks[1:])


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=60, help="per search (default 60)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default 5)")
    add_csv_flag(parser)
    parser.add_argument("--memory_csv", type=Path, help="also write the memory here")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for domains in (3, 5):
        rows.append(compare(domains, args.candidates, args.rounds))
        print(summary(rows[-1], args.candidates), flush=True)
    write_csv(args.csv, rows)
    memory = []
    for proposal in ("walk", "best"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:  # peaks of one process never fall
            copies = alone.submit(copies_of_weights, proposal).result()
        for candidates, peak in zip(MEMORY_AT, copies, strict=True):
            memory.append({"proposal": proposal, "candidates": candidates, "copies_of_weights": peak})
            print(f"{proposal}: {peak:.2f} copies of the weights at n = {candidates}", flush=True)
    write_csv(args.memory_csv, memory)


if __name__ == "__main__":
    main()
