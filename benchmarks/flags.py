"""A step of ERM with --precision bf16, --channels_last and --compile, in steps without, on one thread of the CPU.

    python benchmarks/flags.py [--rounds 9]

Whole updates in turn in one process; CPU seconds, the median of the ratios. The small network of Digits with 3 x 64
samples of 28 pixels, and ResNet-18 with 3 x 8 images of 64. On a GPU: benchmarks/steps.py.
"""

import argparse
import statistics
import time

import torch
from csv_record import add_csv_flag, write_csv

from domainbed.algorithms import get_algorithm_class
from domainbed.algorithms.base import Algorithm
from domainbed.running.hparams import default_hparams
from domainbed.running.numerics import Numerics

CPU = torch.device("cpu")
PLAIN = Numerics()
FLAGS = {
    "--precision bf16": Numerics("bf16"),
    "--channels_last": Numerics(channels_last=True),
    "--compile": Numerics(compiled=True),
}
TASKS = {"small network": ((3, 28, 28), 64, {}), "ResNet-18": ((3, 64, 64), 8, {"resnet18": True, "pretrained": False})}


def build(task: str, numerics: Numerics) -> Algorithm:
    shape, _, changes = TASKS[task]
    hparams = default_hparams("ERM", "Digits") | {"resnet50_augmix": False} | changes
    torch.manual_seed(0)
    return numerics.prepare(get_algorithm_class("ERM")(shape, 10, 3, hparams))


def ratio(task: str, numerics: Numerics, rounds: int) -> float:
    shape, samples, _ = TASKS[task]
    minibatches = [(torch.randn(samples, *shape) + 0.1 * d, torch.randint(10, (samples,))) for d in range(3)]

    def seconds(algorithm: Algorithm, computing: Numerics) -> float:
        start = time.process_time()
        with computing.update(CPU):
            algorithm.update(minibatches)
        return time.process_time() - start

    plain, other = build(task, PLAIN), build(task, numerics)
    for _ in range(2):
        seconds(plain, PLAIN), seconds(other, numerics)
    return statistics.median(1 / (seconds(plain, PLAIN) / seconds(other, numerics)) for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="updates of each (default 9)")
    add_csv_flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for flag, numerics in FLAGS.items():
        for task in TASKS:
            rows.append({"flag": flag, "network": task, "steps": ratio(task, numerics, args.rounds)})
            print(f"{flag}, {task}: {rows[-1]['steps']:.2f} steps without", flush=True)
    write_csv(args.csv, rows)


if __name__ == "__main__":
    main()
