"""Each method's training step as a multiple of ERM's on the same network, beside what its passes imply.

CPU time of one thread; 28x28 images, MNIST_CNN, three domains; MixStyle on a ResNet-18 at 224x224. A pass counts as
it costs in ERM's step, forward and backward apart. A method more than 1.3 times above what its passes imply says why.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from csv_record import add_csv_flag, write_csv
from passes import NEEDED, ON_RESNETS, Passes, build, count_passes, cycle, input_shape, minibatches

from domainbed.algorithms import Algorithm
from domainbed.algorithms.base import Minibatch

SMALL_BATCH = 2  # of the 224x224 images
BACKWARD_THROUGH_BACKWARD = 2  # more, in backward passes: both operands of every product get a gradient of their own
NOTES = {
    "ARM": "and a forward pass of the context network, which has more multiplications than MNIST_CNN",
    "IGA": "implied counts a backward pass through the backward passes as three",
}


def cpu_seconds(work: Callable[[], object], times: int = 1) -> float:
    """CPU time of one call."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def ratio_to_erm(algorithm: Algorithm, erm: Algorithm, batches: list[Minibatch], repetitions: int) -> float:
    """Median over repetitions of CPU time per step, over that of an ERM step just before."""
    turns = cycle(algorithm)
    ratios = []
    for _ in range(repetitions):
        of_erm = cpu_seconds(lambda: erm.update(batches), turns)
        ratios.append(cpu_seconds(lambda: algorithm.update(batches), turns) / of_erm)
    return statistics.median(ratios)


def forward_share(erm: Algorithm, batches: list[Minibatch], repetitions: int) -> float:
    """The part of an ERM step that its forward pass takes; the rest counts as backward."""
    pooled = torch.cat([x for x, _ in batches])
    shares = []
    for _ in range(repetitions):
        of_step = cpu_seconds(lambda: erm.update(batches))
        with torch.no_grad():
            shares.append(cpu_seconds(lambda: erm.predict(pooled)) / of_step)
    return statistics.median(shares)


def implied(passes: Passes, share: float) -> float:
    """Cost of these passes in ERM steps."""
    backward = passes.backward + BACKWARD_THROUGH_BACKWARD * passes.second_order
    return float(passes.forward) * share + float(backward) * (1 - share)


def report(names: list[str], batch_size: int, repetitions: int) -> list[dict[str, object]]:
    """Measure these methods, all on the same kind of images, print a line for each and return them as rows."""
    shape = input_shape(names[0])
    batches = minibatches(shape, batch_size)
    erm = build("ERM", batch_size, shape)
    erm.update(batches)
    share = forward_share(erm, batches, repetitions)
    print(f"\n{batch_size} images of {shape} per domain; the forward pass is {share:.2f} of an ERM step\n")
    print(f"{'method':<14} {'x ERM':>6}  {'passes':>9}  {'needed':>9}  {'implied':>7}  {'measured/implied':>16}  note")
    rows: list[dict[str, object]] = []
    for name in names:
        algorithm = build(name, batch_size)
        counted = count_passes(algorithm, batches)
        ratio = ratio_to_erm(algorithm, erm, batches, repetitions)
        cost = implied(NEEDED[name], share)
        line = f"{name:<14} {ratio:>6.2f}  {counted!s:>9}  {NEEDED[name]!s:>9}  {cost:>7.2f}  {ratio / cost:>16.2f}"
        print(f"{line}  {NOTES.get(name, '')}".rstrip(), flush=True)
        rows.append({"method": name, "erm_steps": ratio, "implied_steps": cost})
    return rows


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NEEDED, metavar="NAME", default=list(NEEDED))
    parser.add_argument("--batch_size", type=int, default=32, help="images per domain")
    parser.add_argument("--repetitions", type=int, default=3)
    add_csv_flag(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    small = [name for name in args.only if name not in ON_RESNETS]
    large = [name for name in args.only if name in ON_RESNETS]
    rows = report(small, args.batch_size, args.repetitions) if small else []
    rows += report(large, SMALL_BATCH, args.repetitions) if large else []
    write_csv(args.csv, rows)


if __name__ == "__main__":
    main()
