"""A folder of many images, from the start of a job to its splits, against a plain walk.

    python benchmarks/folder_index.py [--images 290] [--classes 345] [--domains 6] [--directory /tmp]

Plain: what a job does without an index, whose images are known to be readable: walk the folder twice, once to compare
every file's size and time with those of the last check, once for the dataset. The first job with the index lists every
file and decodes every image, here of one pixel; the jobs after it look at directories alone. Every job is a new process
and makes the same splits; what importing the packages takes is in all of them, and is measured alone as well.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from csv_record import add_csv_flag, write_csv
from PIL import Image

from domainbed.datasets import get_dataset_class
from domainbed.running.loading import split_environments
from domainbed.scripts import train  # noqa: F401 - what a job imports

DATASET = "ImageFolder:many"
HPARAMS = {"data_augmentation": True}
SUFFIXES = (".jpg", ".png")


def indexed(root: str) -> Any:
    """Check, then construct, as the train script does."""
    dataset_class = get_dataset_class(DATASET)
    dataset_class.check(root, HPARAMS)
    return dataset_class(root, [0], HPARAMS).datasets


def plain(root: str) -> Any:
    """Both with a walk over all files."""
    digest = hashlib.md5()
    for environment in walked(root):
        for path in environment:
            status = os.stat(path)
            digest.update(os.fsencode(path) + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return walked(root)


def walked(root: str) -> list[list[str]]:
    """The images of each domain, in order."""
    folder = Path(root, DATASET.partition(":")[2])
    environments = []
    for domain in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = sorted((parent, names) for parent, _, names in os.walk(domain, followlinks=True))
        paths = [os.path.join(parent, name) for parent, names in found for name in sorted(names)]
        environments.append([path for path in paths if path.lower().endswith(SUFFIXES)])
    return environments


JOBS = {"imports": lambda root: [], "plain": plain, "indexed": indexed}
RUNS = {"imports": "imports", "plain": "plain", "first": "indexed", "later": "indexed", "again": "indexed"}


def measured(job: str, root: Path, cache: Path) -> dict[str, Any]:
    """Seconds of a new process, by the clock and of the CPU, and the digest of its splits."""
    command = [sys.executable, __file__, "--job", job, "--directory", str(root)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    splits = subprocess.check_output(command, text=True, env=os.environ | {"XDG_CACHE_HOME": str(cache)})
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"job": job, "seconds": seconds, "cpu_seconds": cpu, "splits": splits}


def make(folder: Path, domains: int, classes: int, images: int) -> None:
    """Images of one pixel; those of a class are links to one file."""
    for domain in range(domains):
        for label in range(classes):
            place = folder / f"domain_{domain}" / f"class_{label}"
            place.mkdir(parents=True)
            first = place / "image_0.png"
            Image.new("RGB", (1, 1), (domain, 0, 0)).save(first)
            for i in range(1, images):
                os.link(first, place / f"image_{i}.png")


def compare(directory: Path, domains: int, classes: int, images: int) -> list[dict[str, Any]]:
    """Each job in turn; stops where their splits differ."""
    make(directory / "data" / DATASET.partition(":")[2], domains, classes, images)
    time.sleep(3)  # a directory is trusted once it is two seconds old
    rows = []
    for name, job in RUNS.items():
        row = measured(job, directory / "data", directory / "cache") | {"job": name}
        rows.append({"files": domains * classes * images, **row})
        print(f"{name}: {row['seconds']:.1f} s, {row['cpu_seconds']:.1f} s of the CPU", flush=True)
    if len({row.pop("splits") for row in rows if row["job"] != "imports"}) > 1:
        raise SystemExit("the splits differ")
    cpu = {row["job"]: row["cpu_seconds"] - rows[0]["cpu_seconds"] for row in rows}
    print(f"without the imports {cpu['plain'] / min(cpu['later'], cpu['again']):.1f}x faster than the plain walk")
    return [{name: value for name, value in row.items() if name != "splits"} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=290, help="per class and domain (default 290)")
    parser.add_argument("--classes", type=int, default=345, help="(default 345, as DomainNet)")
    parser.add_argument("--domains", type=int, default=6, help="(default 6)")
    parser.add_argument("--directory", type=Path, help="where the folder is made and removed (default: as tempfile)")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    add_csv_flag(parser)
    args = parser.parse_args()
    if args.job:
        splits = split_environments(JOBS[args.job](str(args.directory)), [0], 0, 0.2)
        print(hashlib.md5(str([environment.training.keys for environment in splits]).encode()).hexdigest())
        return
    with tempfile.TemporaryDirectory(dir=args.directory) as directory:
        write_csv(args.csv, compare(Path(directory), args.domains, args.classes, args.images))


if __name__ == "__main__":
    main()
