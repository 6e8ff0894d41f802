"""The search on a GPU: candidates per second, how busy the device is, how often the host waits, and what TF32 does.

    python benchmarks/gpu.py [--candidates 30] [--rounds 3] [--batch_size 32] [--size 224]

ResNet-50, evaluation-mode BatchNorm, three domains, in full float32, as GGA searches, and in PyTorch's default, which
lets convolutions compute in TF32. Busy: time of kernels over time of the search, under the profiler. Waits: those that
torch.cuda.set_sync_debug_mode reports. Then the change of sim over candidates θ0 + ρu in both, beside float64.
"""

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from precision import domains, sims, summary
from torch import Tensor, nn
from torch.autograd import DeviceType
from torchvision.models import resnet50

from domainbed_gga.precision import full_float32
from domainbed_gga.search import SearchResult, anneal

RHO, DOMAINS, CLASSES = 1e-5, 3, 7
MODES = {"float32": full_float32, "PyTorch's default (TF32)": nullcontext}

Domain = tuple[Tensor, Tensor]


def problem(batch_size: int, size: int) -> tuple[nn.Module, list[Domain]]:
    torch.manual_seed(0)
    network = resnet50(num_classes=CLASSES).cuda()
    data = [(x.cuda(), y.cuda()) for x, y in domains(DOMAINS, batch_size, size, CLASSES)]
    with torch.no_grad():
        for _ in range(20):  # statistics for BatchNorm
            for x, _ in data:
                network(x)
    return network.eval(), data


def searched(network: nn.Module, data: list[Domain], candidates: int) -> SearchResult:
    moved = {name: p for name, p in network.named_parameters() if not name.startswith("fc")}
    return anneal(
        lambda domain: F.cross_entropy(network(data[domain][0]), data[domain][1]),
        [len(y) for _, y in data],
        moved,
        list(network.parameters()),
        rho=RHO,
        steps=candidates,
    )


def seconds(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def busy(work: Callable[[], object]) -> float:
    """The share of the time in which a kernel runs; all are on one stream."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        total = seconds(work)
    kernels = [event for event in profile.events() if event.device_type == DeviceType.CUDA]
    return sum(event.time_range.elapsed_us() for event in kernels) / 1e6 / total


def waits(work: Callable[[], object]) -> int:
    """How often the host waits for the device."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing" in str(warning.message) for warning in caught)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=30, help="per search (default 30)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (default 3)")
    parser.add_argument("--batch_size", type=int, default=32, help="images per domain (default 32)")
    parser.add_argument("--size", type=int, default=224, help="pixels of an image's side (default 224)")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here, nothing measured")
        return
    network, data = problem(args.batch_size, args.size)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {args.batch_size} images of {args.size} pixels")
    exact = sims(copy.deepcopy(network), data, torch.float64, RHO, args.candidates)
    for name, mode in MODES.items():
        with mode():
            copied = copy.deepcopy(network)
            search_once = partial(searched, copied, data, args.candidates)
            found = search_once()
            times = [seconds(search_once) for _ in range(args.rounds)]
            seen = sims(copy.deepcopy(network), data, torch.float32, RHO, args.candidates)
            print(
                f"{name}: {args.candidates / statistics.median(times):.2f} candidates/s"
                f" ({found.gradients} gradients for {args.candidates} candidates), device busy {busy(search_once):.0%},"
                f" host waits {waits(search_once) / args.candidates:.1f} times per candidate; {summary(seen, exact)}"
            )


if __name__ == "__main__":
    main()
