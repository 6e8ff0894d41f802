"""Download datasets and lay them out as they are read; what was interrupted continues."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from domainbed.datasets.download import DELEGATED, MANIFEST, check_name, download, found, remove_empty, stage_of
from domainbed.datasets.download.counts import count, differences
from domainbed.datasets.download.manifest import Counted
from domainbed.errors import InputError
from domainbed.running.lock import exclusive_lock
from domainbed.scripts.console import exit_code

REMEDY = "run this without --check to have it downloaded"


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    names = ", ".join([*DELEGATED, *MANIFEST])
    parser.add_argument("--dataset", "--datasets", nargs="+", required=True, metavar="NAME", help=names)
    parser.add_argument("--data_dir", type=Path, default=Path("data"), help="where the datasets go")
    parser.add_argument(
        "--from_archive",
        "--from-archive",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="archives fetched by hand; several are told apart by their names; those lacking are downloaded",
    )
    parser.add_argument(
        "--duplicates", type=Path, metavar="FILE", help="DomainBed's domain_net_duplicates.txt (default: downloaded)"
    )
    parser.add_argument("--keep_archives", action="store_true", help="leave the archives in DATA_DIR/.download")
    parser.add_argument("--check", action="store_true", help="count what is there instead, against what is published")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 1 if a dataset's images are not as many as published; 2 if one could not be had."""
    args = build_parser().parse_args(argv)
    return exit_code(_check_names, args) or max(exit_code(_one, name, args) for name in dict.fromkeys(args.dataset))


def _check_names(args: argparse.Namespace) -> None:
    for name in args.dataset:
        check_name(name)
    if args.from_archive and (len(args.dataset) > 1 or args.dataset[0] in DELEGATED):
        raise InputError("--from_archive goes with one --dataset that has archives of its own")


def _one(name: str, args: argparse.Namespace) -> int:
    if not args.check:
        stage = stage_of(name, args.data_dir)
        stage.mkdir(parents=True, exist_ok=True)
        try:
            with exclusive_lock(stage, timeout=0):
                download(name, args.data_dir, args.from_archive, args.duplicates, args.keep_archives)
        finally:
            remove_empty(stage)
    return report(name, args.data_dir)


def report(name: str, root: Path) -> int:
    """Print what is on disk. Returns 1 if it differs from what is published, else 0.

    Raises:
        InputError: the dataset is not there, or not whole.
    """
    known = DELEGATED.get(name) or MANIFEST[name]
    place, counted = _counted(name, root)
    if not counted:
        raise InputError(f"{name}: not in {root / known.folder}, or not whole; {REMEDY}")
    print(f"{name}: in {place}")
    for domain, classes in counted.items():
        print(f"    {domain:<16} {sum(classes.values()):>9,} images, {len(classes):>3} classes")
    lines = differences(counted, known)
    for line in lines:
        print(f"    {line}")
    return 1 if lines else 0


def _counted(name: str, root: Path) -> tuple[Path, Counted]:
    """Where a dataset is and how many images it has; nothing is fetched."""
    if name in DELEGATED:
        return root, DELEGATED[name].count(root)
    place = found(MANIFEST[name], root)
    return (place, count(place, MANIFEST[name])) if place else (root, {})


if __name__ == "__main__":
    sys.exit(main())
