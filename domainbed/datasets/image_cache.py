"""Decoded images in files that processes map into memory: each image is decoded once for all jobs and environments.

An image's file is named by the path, size and time of change of the original and by the size it is stored at, so that
an image that changes has a new one. It takes its name when it is whole. Deleting the folder is always safe.
"""

import hashlib
import logging
import mmap
import os
import struct
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from domainbed.files import DAY, cache_folder, remove_leftovers

FORMAT = 1
TAIL = struct.Struct("<IIQ")  # height, width, sum of the pixels
PARTIAL = "partial"  # the folder of files that are being written
SAMPLES = 50  # files whose size is looked up to estimate the rest
RESERVED = 0.02  # share of the disk that is left free
LOOK_EVERY = 256  # images that a process writes between two looks at the free space

Size = tuple[int, int] | None
log = logging.getLogger(__name__)


class ImageCache:
    """The cache in a folder, which need not exist. Where it cannot be written to, images are decoded each time."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self._full = torch.zeros(1, dtype=torch.bool).share_memory_()  # said by one process to all
        self._writes = 0

    def image(self, path: str, size: Size, decode: Callable[[], np.ndarray]) -> np.ndarray:
        """The pixels (height, width, 3) uint8 of an image file.

        Args:
            path: of the original, which must be there.
            size: the height and width to which `decode` resizes; None: it does not.
            decode: reads the pixels from the original.
        """
        try:
            entry = self.entry(path, size)
        except OSError:  # for `decode` to report
            return decode()
        pixels = _mapped(entry)
        if pixels is None:
            pixels = decode()
            if not self._full:
                self._write(entry, pixels)
        return pixels

    def entry(self, path: str, size: Size) -> Path:
        """The file of an image in the cache.

        Raises:
            OSError: the original is not there.
        """
        status = os.stat(path)
        # The time of the last change of any kind too: copies that keep times change nothing else of an equal size.
        state = status.st_size, status.st_mtime_ns, status.st_ctime_ns
        key = (FORMAT, os.fsencode(os.path.abspath(path)), *state, size)
        name = hashlib.md5(repr(key).encode()).hexdigest()
        return self.folder / name[:2] / name[2:]

    def missing_bytes(self, paths: Sequence[str], size: Size) -> int:
        """About how many bytes these images would still add, by a sample of them."""
        step = max(1, len(paths) // SAMPLES)
        sample = [self._missing_bytes(path, size) for path in paths[step // 2 :: step]]
        return int(len(paths) * sum(sample) / len(sample)) if sample else 0

    def _missing_bytes(self, path: str, size: Size) -> int:
        from PIL import Image

        try:
            if self.entry(path, size).exists():
                return 0
            if size is None:
                with Image.open(path) as image:
                    size = image.size
        except Exception:  # whatever is wrong with the image is for whoever decodes it to report
            return 0
        return 3 * size[0] * size[1]

    def announce(self, missing: int) -> str:
        """Say where the cache is and how many bytes are about to be written, as far as there is room."""
        try:
            (self.folder / PARTIAL).mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder / PARTIAL, DAY)
            free = self._free()
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return f"none, {self.folder} cannot be used"
        text = f"{self.folder}, about {gigabytes(missing)} to be written, {gigabytes(max(0, free))} free"
        return text if missing <= free else f"{text}; what does not fit is decoded each time"

    def _free(self) -> float:
        """Bytes on the disk without the reserve, below 0 where that is touched."""
        status = os.statvfs(self.folder)
        return (status.f_bavail - RESERVED * status.f_blocks) * status.f_frsize

    def _has_room(self) -> bool:
        look = self._writes % LOOK_EVERY == 0
        self._writes += 1
        if look and self._free() < 0:
            self._give_up(f"less than {RESERVED:.0%} of the disk is free")
        return not self._full

    def _write(self, entry: Path, pixels: np.ndarray) -> None:
        temporary = self.folder / PARTIAL / f".{entry.name}.{uuid.uuid4().hex}"
        pixels = np.ascontiguousarray(pixels)
        try:
            try:
                entry.parent.mkdir(parents=True, exist_ok=True)
                temporary.parent.mkdir(exist_ok=True)
                if not self._has_room():
                    return
                with open(temporary, "wb") as file:
                    file.write(pixels.data)
                    file.write(TAIL.pack(*pixels.shape[:2], _sum(pixels)))
                os.replace(temporary, entry)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    def _give_up(self, reason: str) -> None:
        if not self._full:
            self._full[0] = True
            log.warning(
                "image cache %s: %s; images that are not in it are decoded each time; choose another --cache_dir",
                self.folder,
                reason,
            )


def image_cache(folder: str | None) -> ImageCache | None:
    """The cache in a folder; None for the user's, and for "none", or where the user has no home directory, no cache."""
    if folder == "none":
        return None
    try:
        return ImageCache(Path(folder) if folder else cache_folder() / "images")
    except FileNotFoundError:
        return None


def _mapped(entry: Path) -> np.ndarray | None:
    """The pixels in a file; None if there is none, or if it is damaged, as by a machine that lost power."""
    try:
        with open(entry, "rb", buffering=0) as file:
            # A private copy, of which no page is ever written to: torch wants memory that could be.
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):  # a file of zero bytes cannot be mapped
        return None
    if len(content) < TAIL.size:
        return None
    height, width, total = TAIL.unpack_from(content, len(content) - TAIL.size)
    if len(content) != 3 * height * width + TAIL.size:
        return None
    pixels = np.frombuffer(content, np.uint8, 3 * height * width).reshape(height, width, 3)
    return pixels if _sum(pixels) == total else None


def _sum(pixels: np.ndarray) -> int:
    """Of the pixels, eight at a time as one number, modulo 2**64."""
    flat = pixels.reshape(-1)
    whole = len(flat) // 8 * 8
    return (int(flat[:whole].view(np.uint64).sum()) + int(flat[whole:].sum())) % 2**64


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
