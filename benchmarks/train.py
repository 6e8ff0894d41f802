"""A training run as a whole process, beside the same one in plain PyTorch (benchmarks/plain_train.py).

    python benchmarks/train.py [--rounds 5] [--per_class 20 | --folder FOLDER] [--network resnet50 --size 224]

300 steps with 64 samples from each of three domains and an evaluation of all eight splits every 50 steps, in turns,
from starting Python to its end, with as many threads as PyTorch takes. By default: Digits, whose cache is built before,
with its small network. With --folder: four domains with ten classes of images, and a ResNet from scratch; with
--per_class: such a folder of JPEGs (benchmarks/jpegs.py). Each of our runs checks the images and begins without a
cache.
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

import jpegs
from csv_record import add_csv_flag, write_csv

from domainbed.datasets import digits

ROOT = Path(__file__).parents[1]


def ours(args: argparse.Namespace, data: Path, output: Path) -> list[str]:
    dataset = f"ImageFolder:{data.name}" if of_images(args) else "Digits"
    hparams = {"batch_size": args.batch_size}
    if of_images(args):
        hparams |= {"pretrained": False, "backbone": f"torchvision/{args.network}", "image_size": args.size}
    words = ["-m", "domainbed.scripts.train", "--dataset", dataset, "--data_dir", str(data.parent), "--test_envs", "0"]
    words += ["--steps", str(args.steps), "--checkpoint_freq", str(args.checkpoint_freq), "--skip_model_save"]
    return [*words, "--output_dir", str(output), "--hparams", json.dumps(hparams), *args.flags]


def plain(args: argparse.Namespace, data: Path) -> list[str]:
    source = data if of_images(args) else digits.cache_file(data.parent)
    words = [str(ROOT / "benchmarks/plain_train.py"), str(source), "--steps", str(args.steps)]
    words += ["--checkpoint_freq", str(args.checkpoint_freq), "--batch_size", str(args.batch_size)]
    words += ["--num_workers", str(args.num_workers)]
    return words + (["--network", args.network, "--size", str(args.size)] if of_images(args) else [])


def of_images(args: argparse.Namespace) -> bool:
    return args.folder is not None or args.per_class is not None


def prepared(args: argparse.Namespace, folder: Path) -> Path:
    """Where the data is."""
    if args.folder is not None:
        return args.folder.resolve()
    if args.per_class is not None:
        jpegs.write(folder / "jpegs", args.per_class)
        return folder / "jpegs"
    digits.load(folder)
    return folder / "Digits"


def timed(words: list[str], caches: Path) -> tuple[float, float]:
    """Seconds, and CPU seconds of the process and its workers; `caches` is where ours keeps images and their index."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    python_path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": python_path, "XDG_CACHE_HOME": str(caches)}
    environment.pop("OMP_NUM_THREADS", None)
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
    add("--per_class", type=int, help="generate so many JPEGs of each class in each domain; else Digits")
    add("--folder", type=Path, help="of domains with classes of images; else Digits")
    add("--network", default="resnet50", help="for images (default resnet50)")
    add("--size", type=int, default=224, help="pixels of an image's side (default 224)")
    add("--num_workers", type=int, default=0, help="of each DataLoader of the plain script (default 0)")
    add("--flags", nargs=argparse.REMAINDER, default=[], help="last: more flags for our script")
    add_csv_flag(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = prepared(args, Path(temporary) / "data")
        rows = []
        for number in range(args.rounds):
            caches = Path(temporary) / f"caches{number}"
            a, a_cpu = timed(ours(args, data, Path(temporary) / str(number)), caches)
            b, b_cpu = timed(plain(args, data), caches)
            rows.append({"seconds": a, "plain_seconds": b, "cpu_seconds": a_cpu, "plain_cpu_seconds": b_cpu})
            print(f"ours {a:.1f} s ({a_cpu:.1f} CPU), plain {b:.1f} s ({b_cpu:.1f} CPU)", flush=True)
    row = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    row["faster"] = statistics.median(row["plain_seconds"] / row["seconds"] for row in rows)
    row["less_cpu"] = statistics.median(row["plain_cpu_seconds"] / row["cpu_seconds"] for row in rows)
    print(f"{row['faster']:.2f} times as fast, {row['less_cpu']:.2f} times less CPU (medians of {args.rounds} rounds)")
    task = f"images, {args.network}, {args.size} pixels" if of_images(args) else "Digits, small network"
    write_csv(args.csv, [{"task": task, "plain_workers": args.num_workers, "rounds": args.rounds, **row}])


if __name__ == "__main__":
    main()
