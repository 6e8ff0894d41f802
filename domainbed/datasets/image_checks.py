"""Check that every image of a folder can be decoded; the outcome is remembered in the user's cache."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from domainbed.cpus import usable_cpus
from domainbed.datasets.images import read_image
from domainbed.errors import InputError
from domainbed.files import cache_folder, remove_leftovers, whole_file

BATCH = 100
DAY = 24 * 60 * 60  # seconds; nobody writes an outcome for that long


def check_images(folder: Path, paths: Sequence[str]) -> None:
    """Decode every image, unless all of them could be decoded before and no file has changed since.

    Args:
        folder: whose real path identifies the outcome in the cache.
        paths: of the images, below `folder`.

    Raises:
        InputError: naming the first image that cannot be read, and how many there are.
    """
    state = _state(folder, paths)
    if _remembered(folder) == state:
        return
    batches = [paths[i : i + BATCH] for i in range(0, len(paths), BATCH)]
    # disable=None: silent where nobody watches; delay: silent where nobody has to wait.
    progress = tqdm(total=len(paths), desc=f"{folder.name}: reading every image", leave=False, disable=None, delay=2)
    found: list[str] = []
    with progress, ThreadPoolExecutor(usable_cpus()) as pool:
        for batch, problems in zip(batches, pool.map(_problems, batches), strict=True):
            found += problems
            progress.update(len(batch))
    if found:
        raise InputError(found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
    _remember(folder, state)


def _problems(paths: Sequence[str]) -> list[str]:
    problems = []
    for path in paths:
        try:
            read_image(path)
        except InputError as error:
            problems.append(str(error))
    return problems


def _state(folder: Path, paths: Sequence[str]) -> bytes:
    """A digest of the images' names, sizes and times of change."""
    digest = hashlib.md5()
    for path in paths:
        digest.update(os.fsencode(path.removeprefix(str(folder))))
        with contextlib.suppress(OSError):  # a link to nowhere is for read_image to report
            status = os.stat(path)
            digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest().encode()


def _cache_file(folder: Path) -> Path:
    return cache_folder() / "readable_images" / hashlib.md5(os.fsencode(os.path.realpath(folder))).hexdigest()


def _remembered(folder: Path) -> bytes | None:
    try:
        return _cache_file(folder).read_bytes()
    except OSError:
        return None


def _remember(folder: Path, state: bytes) -> None:
    # Without a usable cache the images are decoded again next time.
    with contextlib.suppress(OSError):
        path = _cache_file(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, DAY)
        with whole_file(path) as file:
            file.write(state)
