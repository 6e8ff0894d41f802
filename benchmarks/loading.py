"""Loading images: a plain DataLoader per domain, as the original has, beside the loaders here.

    python benchmarks/loading.py [--images 2000] [--steps 30] [--rounds 3] [--num_workers 2] [--folder FOLDER]

Generated JPEGs of 500 x 375 in four domains, of which the first is the test domain; x is 224 x 224. Measured in turn,
each in a process of its own: `plain`, PIL transforms in an InfiniteDataLoader per training domain and a FastDataLoader
per split, each with its own workers; `exact`, the same transforms in this testbed's loader (--exact_images); `check`,
what the first job of a folder does before, which is to read every image; `cold`, the default with an empty cache;
`warm`, the same when another process has filled the cache. A pass takes every image once, as an evaluation does; then
come `--steps` minibatches of 3 x 32. Time, CPU time of all processes, the time to the first minibatch, and the memory
of all processes, pages that they share counted once.
"""

import argparse
import itertools
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from csv_record import add_csv_flag, write_csv
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision import transforms

from domainbed.datasets.folders import image_folder
from domainbed.datasets.image_cache import ImageCache
from domainbed.lib.fast_data_loader import FastDataLoader, InfiniteDataLoader
from domainbed.running.batches import BatchLoader
from domainbed.running.loading import TrainingLoader, evaluation_batches, split_dataset, split_environments

DOMAINS, CLASSES, BATCH, WIDTH, HEIGHT = 4, 5, 32, 500, 375
KINDS = ("plain", "exact", "check", "cold", "warm")
Batches = Iterable[int]  # the sizes of batches that have been loaded


def generate(folder: Path, images: int) -> None:
    """JPEGs: parts of two photographs in random size, place and colours."""
    photos = [Image.fromarray(image) for image in load_sample_images().images]
    random = np.random.RandomState(0)
    for n in range(DOMAINS * images):
        path = folder / f"domain{n % DOMAINS}" / f"class{n // DOMAINS % CLASSES}" / f"{n}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo, width = photos[random.randint(2)], random.randint(300, 640)
        height = width * HEIGHT // WIDTH
        left, top = random.randint(641 - width), random.randint(428 - min(height, 427))
        part = photo.resize((WIDTH, HEIGHT), box=(left, top, left + width, min(top + height, 427)))
        colours = np.asarray(part) * random.uniform(0.6, 1.0, 3)
        Image.fromarray(colours.astype(np.uint8)).save(path, quality=90)


def plain(folder: Path, num_workers: int) -> tuple[Iterator[int], Iterator[int], Callable[[], None]]:
    """A pass and minibatches from the loaders of the original."""
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    unchanged = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(), normalize])
    augmented = transforms.Compose(
        [
            transforms.RandomResizedCrop(224, scale=(0.7, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.3, 0.3, 0.3, 0.3),
            transforms.RandomGrayscale(),
            transforms.ToTensor(),
            normalize,
        ]
    )
    training, evaluation = [], []
    for number, domain in enumerate(sorted(folder.iterdir())):
        dataset = torchvision.datasets.ImageFolder(str(domain), augmented if number else unchanged)
        held_out, rest = split_dataset(dataset, len(dataset) // 5)
        if number:
            training.append(InfiniteDataLoader(rest, None, BATCH, num_workers))
        evaluation += [FastDataLoader(split, 64, num_workers) for split in (rest, held_out)]
    minibatches = (sum(len(y) for _, y in batch) for batch in zip(*training, strict=False))
    return (len(y) for loader in evaluation for _, y in loader), minibatches, lambda: None


def ours(
    folder: Path, num_workers: int, exact: bool, cache: ImageCache | None
) -> tuple[Iterator[int], Iterator[int], Callable[[], None]]:
    """A pass and minibatches from the loaders of this testbed."""
    dataset = image_folder(folder.name)(folder.parent, [0], {"data_augmentation": True})
    environments = split_environments(dataset.datasets, [0], 0, 0.2)
    loader = BatchLoader(dataset.datasets, num_workers, "cpu", exact, cache)
    loader.description()
    training = TrainingLoader({f"env{n}": environments[n].training for n in range(1, DOMAINS)}, BATCH, 0, False, loader)
    splits = {f"env{n}_in": environment.training for n, environment in enumerate(environments)}
    splits |= {f"env{n}_out": environment.held_out for n, environment in enumerate(environments)}
    minibatches = (sum(len(y) for _, y in batch) for batch in training.batches(0, 10**6))
    evaluation = (len(y) for _, batches in evaluation_batches(splits, 0, loader, BATCH) for _, y in batches)
    return evaluation, minibatches, loader.close


def measure(kind: str, folder: Path, cache: Path, steps: int, num_workers: int) -> dict[str, Any]:
    """One pass, then `steps` minibatches; loaders are made here and end with the process."""
    torch.set_num_threads(1)
    if kind == "check":
        return {"kind": kind, **check(folder, cache)}
    start = time.perf_counter()
    if kind == "plain":
        every_image, minibatches, close = plain(folder, num_workers)
    else:
        every_image, minibatches, close = ours(folder, num_workers, kind == "exact", ImageCache(cache))
    taken = {"pass": itertools.chain(every_image), "training": itertools.islice(minibatches, steps)}
    row: dict[str, Any] = {"kind": kind}
    if kind != "cold":  # where the pass would no longer be cold
        next(minibatches)
        row["first_s"] = time.perf_counter() - start
    else:
        del taken["training"]
    for name, sizes in taken.items():
        start, before = time.perf_counter(), cpu_seconds()
        images = sum(sizes)
        row[f"{name}_images_per_s"] = images / (time.perf_counter() - start)
        row[f"{name}_cpu_ms"] = 1000 * (cpu_seconds() - before) / images
    row["memory_mb"] = memory() / 2**20
    close()
    return row


def check(folder: Path, cache: Path) -> dict[str, float]:
    """The check of a folder that no job has met."""
    os.environ["XDG_CACHE_HOME"] = str(cache.with_name("index"))
    start, before = time.perf_counter(), cpu_seconds()
    image_folder(folder.name).check(folder.parent, {})
    images = sum(1 for _ in folder.glob("*/*/*"))
    cpu_ms = 1000 * (cpu_seconds() - before) / images
    return {"pass_images_per_s": images / (time.perf_counter() - start), "pass_cpu_ms": cpu_ms}


def processes() -> list[int]:
    """This process and its children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [os.getpid(), *map(int, children)]


def cpu_seconds() -> float:
    """Of this process, of its children that run, and of those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for process in processes():
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime


def memory() -> int:
    """Bytes of this process and its children; a page shared by n of them counts as 1/n in each."""
    total = 0
    for process in processes():
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):  # not files, which the system keeps as long as it likes
                total += 1024 * int(line.split()[1])
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="per domain (default 2000)")
    parser.add_argument("--steps", type=int, default=30, help="minibatches of 3 x 32 after the pass (default 30)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions (default 3)")
    parser.add_argument("--num_workers", type=int, default=2, help="of each loader (default 2)")
    parser.add_argument("--folder", type=Path, help="where the images and the cache go (default: a temporary folder)")
    add_csv_flag(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder, cache = Path(name, "images"), Path(name, "cache")
        generate(folder, args.images)
        rows = []
        for kind in KINDS * args.rounds:
            if kind == "check":
                shutil.rmtree(cache.with_name("index"), ignore_errors=True)
                shutil.rmtree(cache, ignore_errors=True)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                rows.append(alone.submit(measure, kind, folder, cache, args.steps, args.num_workers).result())
            print(
                ", ".join(f"{key} {value:.4g}" if key != "kind" else value for key, value in rows[-1].items()),
                flush=True,
            )
    medians = [
        {"images": DOMAINS * args.images, **median([row for row in rows if row["kind"] == kind])} for kind in KINDS
    ]
    write_csv(args.csv, medians)


def median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("pass_images_per_s", "pass_cpu_ms", "training_images_per_s", "training_cpu_ms", "first_s", "memory_mb")
    medians = {
        name: statistics.median(row[name] for row in rows) if name in rows[0] else float("nan") for name in names
    }
    return {"kind": rows[0]["kind"], **medians}


if __name__ == "__main__":
    main()
