"""A step of ERM with GGA-L in steps of ERM, where no layer mixes samples (at most 1.15), and where BatchNorm does.

    python benchmarks/gga_l.py [--rounds 15]

Whole updates, optimizer included, in turn in one process on one thread; CPU seconds, the median of the ratios.
MNIST_CNN at 28x28 (GroupNorm), and Wide ResNet 16-2 at 32x32 (BatchNorm), 32 samples per domain.
"""

import argparse
import statistics
import time

import torch
from csv_record import add_csv_flag, write_csv

from domainbed import hparams_registry
from domainbed.algorithms import get_algorithm_class


def ratio(shape: tuple[int, ...], domains: int, rounds: int) -> float:
    torch.manual_seed(0)
    hparams = hparams_registry.default_hparams("GGA_L", "RotatedMNIST")
    erm, gga_l = (get_algorithm_class(name)(shape, 10, domains, hparams) for name in ("ERM", "GGA_L"))
    minibatches = [(torch.randn(32, *shape) + 0.1 * d, torch.randint(10, (32,))) for d in range(domains)]

    def seconds(algorithm) -> float:
        start = time.process_time()
        algorithm.update(minibatches)
        return time.process_time() - start

    seconds(erm), seconds(gga_l)
    return statistics.median(1 / (seconds(erm) / seconds(gga_l)) for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="updates of each (default 15)")
    add_csv_flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for network, shape in (("MNIST_CNN", (1, 28, 28)), ("Wide ResNet", (3, 32, 32))):
        for domains in (3, 5):
            rows.append({"network": network, "domains": domains, "erm_steps": ratio(shape, domains, args.rounds)})
            print(f"{network}, D = {domains}: {rows[-1]['erm_steps']:.2f} ERM steps", flush=True)
    write_csv(args.csv, rows)


if __name__ == "__main__":
    main()
