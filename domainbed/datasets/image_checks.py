"""Check that every image of a folder can be decoded; the outcome is remembered in the index of the folder."""

import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tqdm import tqdm

from domainbed.cpus import usable_cpus
from domainbed.datasets.folder_index import FolderIndex
from domainbed.datasets.reading import read_image
from domainbed.errors import InputError

BATCH = 100


def check_images(name: str, indexes: Sequence[FolderIndex], tolerate_truncated: bool) -> None:
    """Decode every image below the folders in these folders, but those that could be decoded and did not change since.

    Warns of truncated images that are tolerated.

    Args:
        name: of the dataset's folder, for what is shown meanwhile and the warning.
        indexes: remember the outcome, also where images are faulty.
        tolerate_truncated: as for `read_image`.

    Raises:
        InputError: naming the first image that cannot be read, and how many there are.
    """
    try:
        _decode(name, indexes)
    finally:
        for index in indexes:
            index.save()
    problems, truncated = [], []
    for path in (path for index in indexes for path in index.faulty()):
        try:
            read_image(path, tolerate_truncated)
            truncated.append(path)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
    if truncated:
        warnings.warn(f"{name}: images cut short are used: {len(truncated)}, such as {truncated[0]}", stacklevel=2)


def _decode(name: str, indexes: Sequence[FolderIndex]) -> None:
    """Find out which images are faulty, directory by directory, so that an interruption loses little."""
    work = [(index, relative, images) for index in indexes for relative, images in index.undecoded()]
    paths = (path for index, relative, images in work for path in index.paths(relative, images))
    # disable=None: silent where nobody watches; delay: silent where nobody has to wait.
    total = sum(len(images) for *_, images in work)
    progress = tqdm(total=total, desc=f"{name}: reading every image", leave=False, disable=None, delay=2)
    pool = ThreadPoolExecutor(usable_cpus())
    try:
        decodable = itertools.chain.from_iterable(pool.map(_decodable, _batches(paths)))
        for index, relative, images in work:
            faulty = [image for image, good in zip(images, decodable, strict=False) if not good]
            listing = index.listings[relative]
            index.listings[relative] = replace(listing, decoded=listing.state, faulty=faulty)
            progress.update(len(images))
    finally:
        pool.shutdown(cancel_futures=True)
        progress.close()


def _batches(paths: Iterable[str]) -> Iterator[list[str]]:
    paths = iter(paths)
    while batch := list(itertools.islice(paths, BATCH)):
        yield batch


def _decodable(paths: Sequence[str]) -> list[bool]:
    return [_is_decodable(path) for path in paths]


def _is_decodable(path: str) -> bool:
    try:
        read_image(path)
    except InputError:
        return False
    return True
