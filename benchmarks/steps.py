"""Seconds of a training step, images per second, how busy the GPU is, and memory, on a folder of JPEG files.

    python benchmarks/steps.py FOLDER [--network resnet50] [--only ERM GGA ...] [--csv FILE]

ERM, GGA and GGA_L as the train script runs them, ERM with each of --precision, --channels_last and --compile, and the
plain loop of benchmarks/plain_train.py, each in a process of its own. As in the paper: 32 samples per domain, frozen
BatchNorm, dropout 0.5; weights from scratch. From these numbers follow the hours of a PACS run and of the paper's
Table 1, at 250 candidates in each of 101 steps.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import plain_train
import torch
from csv_record import add_csv_flag, write_csv
from resnet_run import add_resnet_flags, train_flags
from torch.autograd import DeviceType

from domainbed.cpus import usable_cpus

WARM_UP, PROFILED, LR = 5, 3, 3e-5
FAST = ["--precision", "bf16", "--channels_last"]
CONFIGURATIONS = {
    "ERM": ["--algorithm", "ERM"],
    "GGA_L": ["--algorithm", "GGA_L"],
    "GGA": ["--algorithm", "GGA"],
    "ERM tf32": ["--algorithm", "ERM", "--precision", "tf32"],
    "ERM bf16": ["--algorithm", "ERM", "--precision", "bf16"],
    "ERM channels_last": ["--algorithm", "ERM", "--channels_last"],
    "ERM compile": ["--algorithm", "ERM", "--compile"],
    "ERM bf16 channels_last": ["--algorithm", "ERM", *FAST],
    "ERM bf16 channels_last compile": ["--algorithm", "ERM", *FAST, "--compile"],
    "GGA channels_last": ["--algorithm", "GGA", "--channels_last"],
    "GGA compile": ["--algorithm", "GGA", "--compile"],
    "GGA bf16 channels_last": ["--algorithm", "GGA", *FAST],
}
# Table 1: images, environments, steps and steps between evaluations of each dataset.
TABLE_1 = {
    "PACS": (9_991, 4, 5001, 300),
    "VLCS": (10_729, 4, 5001, 300),
    "OfficeHome": (15_588, 4, 5001, 300),
    "TerraIncognita": (24_788, 4, 5001, 300),
    "DomainNet": (586_575, 6, 15001, 1000),
}
TRIALS, CANDIDATES, WINDOW = 3, 250, 101
IN_TABLE_1 = ("ERM", "GGA", "GGA_L", "GGA bf16 channels_last")


class Stopwatch:
    """Stands where the train script has tqdm: seconds from one step to the next, and a profile of the last few."""

    def __init__(self) -> None:
        self.marks: list[float] = []
        self.busy = float("nan")

    def __call__(self, steps: range, **_: Any) -> Iterator[int]:
        last = steps.stop - 1
        profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        for step in steps:
            if step == last - PROFILED and torch.cuda.is_available():
                profiler.start()
            if step == last and torch.cuda.is_available():
                torch.cuda.synchronize()
                profiler.stop()
                self.busy = share_busy(profiler.events(), time.perf_counter() - self.marks[-PROFILED])
            self.marks.append(time.perf_counter())
            yield step
        self.marks.append(time.perf_counter())

    def seconds(self, steps: Iterable[int]) -> float:
        return statistics.median(self.marks[step + 1] - self.marks[step] for step in steps)


def share_busy(events: Any, seconds: float) -> float:
    """The share of the time in which a kernel runs; all are on one stream."""
    kernels = [event for event in events if event.device_type == DeviceType.CUDA]
    return sum(event.time_range.elapsed_us() for event in kernels) / 1e6 / seconds


def flags(args: argparse.Namespace, output: Path) -> list[str]:
    """The search of GGA is in the last steps, and short."""
    search = {"gga_start": WARM_UP, "gga_end": args.steps, "gga_search_steps": args.candidates}
    hparams = {"freeze_bn": True, "lr": LR} | (search if args.one.split()[0] == "GGA" else {})
    return [
        *train_flags(args, output, args.steps, args.steps, **hparams),
        "--skip_model_save",
        *CONFIGURATIONS[args.one],
    ]


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """Train in this process and time its steps."""
    from domainbed.scripts import train

    watch = Stopwatch()
    train.tqdm = watch  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as output:
        if train.main(flags(args, Path(output))) != 0:
            raise SystemExit(1)
        records = [json.loads(line) for line in (Path(output) / "results.jsonl").read_text().splitlines()]
    row = {"what": args.one} | timed(args, watch, records[-1])
    if "gga_gradients" in records[-1]:
        search, ordinary = row["step_seconds"], watch.seconds(range(1, WARM_UP))
        row |= {"step_seconds": ordinary, "images_per_second": 3 * args.batch_size / ordinary}
        row |= {"candidate_seconds": (search - ordinary) / args.candidates}
        row |= {"gradients_per_candidate": records[-1]["gga_gradients"] / args.candidates}
    return row


def measured_plain(args: argparse.Namespace) -> dict[str, Any]:
    """The plain loop, with as many workers as there are CPUs for its training loaders."""
    words = [str(args.folder), "--network", args.network, "--size", str(args.size)]
    words += ["--batch_size", str(args.batch_size)]
    words += ["--steps", str(args.steps), "--checkpoint_freq", str(args.steps), "--lr", str(LR)]
    words += ["--num_workers", str(max(1, usable_cpus() // 3))]
    watch = Stopwatch()
    return {"what": "plain ERM"} | timed(args, watch, plain_train.main(words, watch)[-1])


def timed(args: argparse.Namespace, watch: Stopwatch, record: dict[str, Any]) -> dict[str, Any]:
    """What is measured of every run, from its steps and its last record."""
    last = args.steps - 1
    step = watch.seconds(range(WARM_UP, last - PROFILED))
    # At the last step a run evaluates every image and writes a record, ours a checkpoint too.
    evaluation = max(watch.marks[last + 1] - watch.marks[last] - step, 1e-9)
    images = sum(1 for path in args.folder.glob("*/*/*.jpg"))
    row = {"step_seconds": step, "busy": watch.busy, "gpu_gib": record["mem_gb"]}
    return row | {"images_per_second": 3 * args.batch_size / step, "evaluated_per_second": images / evaluation}


def hours(row: dict[str, Any], dataset: str) -> float:
    """Of one run: its steps, its evaluations, and for GGA its searches."""
    images, environments, steps, between = TABLE_1[dataset]
    step = row["step_seconds"] * (environments - 1) / 3
    evaluations = len({*range(0, steps, between), steps - 1})
    seconds = steps * step + evaluations * images / row["evaluated_per_second"]
    if "candidate_seconds" in row:
        seconds += WINDOW * CANDIDATES * row["candidate_seconds"]
    return seconds / 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add_resnet_flags(parser, batch_size=32)
    add("--steps", type=int, default=40, help="updates of each (default 40)")
    add("--candidates", type=int, default=20, help="of each search (default 20)")
    add("--only", nargs="+", default=["plain", *CONFIGURATIONS], help="configurations (default: all)")
    add("--one", help=argparse.SUPPRESS)  # in a process of its own
    add_csv_flag(parser)
    args = parser.parse_args()
    if args.one:
        print("ROW " + json.dumps(measured_plain(args) if args.one == "plain" else measured(args)))
        return
    rows = []
    for name in args.only:
        if row := in_a_process(name):
            rows.append(row | (table_1(row) if name in IN_TABLE_1 else {}))
            write_csv(args.csv, rows)  # each time, for whoever has no time for all of them


def table_1(row: dict[str, Any]) -> dict[str, float]:
    """Hours of one run on PACS, and of all that a row of the paper's Table 1 takes."""
    pacs, table = hours(row, "PACS"), TRIALS * sum(hours(row, name) * TABLE_1[name][1] for name in TABLE_1)
    print(f"{row['what']}: one PACS run {pacs:.2f} h, its row of Table 1 {table:.0f} h", flush=True)
    return {"pacs_hours": pacs, "table_1_hours": table}


def in_a_process(name: str) -> dict[str, Any] | None:
    """The row of a configuration; None, with the reason printed, where it fails."""
    done = subprocess.run([sys.executable, *sys.argv, "--one", name], capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("ROW ")]
    if not found:
        print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return None
    row = json.loads(found[0][4:])
    numbers = (f"{key} {value:.4g}" for key, value in row.items() if key != "what")
    print(f"{row['what']}:", ", ".join(numbers), flush=True)
    return row


if __name__ == "__main__":
    main()
