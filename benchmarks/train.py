"""A training run as a whole process, beside the same one in plain PyTorch (benchmarks/plain_train.py).

    python benchmarks/train.py [--rounds 5] [--folder FOLDER --network resnet50]

300 steps with 64 samples from each of three domains and an evaluation of all eight splits every 50 steps, in turns,
from starting Python to its end. Without --folder: Digits, whose cache is built before, with its small network. With it:
a folder of four domains with ten classes of images, and a network of torchvision from scratch.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from csv_record import add_csv_flag, write_csv

from domainbed.datasets import digits

ROOT = Path(__file__).parents[1]


def ours(args: argparse.Namespace, data: Path, output: Path) -> list[str]:
    dataset = "Digits" if args.folder is None else f"ImageFolder:{data.name}"
    hparams = {"batch_size": args.batch_size}
    if args.folder is not None:
        hparams |= {"pretrained": False, "backbone": f"torchvision/{args.network}", "image_size": args.size}
    words = ["-m", "domainbed.scripts.train", "--dataset", dataset, "--data_dir", str(data.parent), "--test_envs", "0"]
    words += ["--steps", str(args.steps), "--checkpoint_freq", str(args.checkpoint_freq), "--skip_model_save"]
    words += ["--output_dir", str(output), "--hparams", json.dumps(hparams), *args.flags]
    return words


def plain(args: argparse.Namespace, data: Path) -> list[str]:
    source = data if args.folder is not None else digits.cache_file(data.parent)
    words = [str(ROOT / "benchmarks/plain_train.py"), str(source), "--steps", str(args.steps)]
    words += ["--checkpoint_freq", str(args.checkpoint_freq), "--batch_size", str(args.batch_size)]
    words += ["--num_workers", str(args.num_workers)]
    return words + (["--network", args.network, "--size", str(args.size)] if args.folder is not None else [])


def timed(words: list[str]) -> tuple[float, float]:
    """Seconds, and CPU seconds of the process and its workers."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="of both (default 5)")
    add("--steps", type=int, default=300, help="updates (default 300)")
    add("--checkpoint_freq", type=int, default=50, help="updates between evaluations (default 50)")
    add("--batch_size", type=int, default=64, help="samples per domain (default 64)")
    add("--folder", type=Path, help="of domains with classes of images; else Digits")
    add("--network", default="resnet50", help="for --folder (default resnet50)")
    add("--size", type=int, default=224, help="pixels of an image's side, for --folder (default 224)")
    add("--num_workers", type=int, default=0, help="of each DataLoader of the plain script (default 0)")
    add("--flags", nargs=argparse.REMAINDER, default=[], help="last: more flags for our script")
    add_csv_flag(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = args.folder.resolve() if args.folder is not None else Path(temporary) / "data" / "Digits"
        if args.folder is None:
            digits.load(data.parent)
        rows = []
        for number in range(args.rounds):
            (a, a_cpu), (b, b_cpu) = timed(ours(args, data, Path(temporary) / str(number))), timed(plain(args, data))
            rows.append({"seconds": a, "plain_seconds": b, "cpu_seconds": a_cpu, "plain_cpu_seconds": b_cpu})
            print(f"ours {a:.1f} s ({a_cpu:.1f} CPU), plain {b:.1f} s ({b_cpu:.1f} CPU)", flush=True)
    row = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    row["faster"] = statistics.median(row["plain_seconds"] / row["seconds"] for row in rows)
    row["less_cpu"] = statistics.median(row["plain_cpu_seconds"] / row["cpu_seconds"] for row in rows)
    print(f"{row['faster']:.2f} times as fast, {row['less_cpu']:.2f} times less CPU (medians of {args.rounds} rounds)")
    task = "Digits, small network" if args.folder is None else f"{args.network}, {args.size} pixels"
    write_csv(args.csv, [{"task": task, "plain_workers": args.num_workers, "rounds": args.rounds, **row}])


if __name__ == "__main__":
    main()
