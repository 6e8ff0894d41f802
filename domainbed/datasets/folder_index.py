"""Which images a folder holds, remembered in the user's cache for as long as its directories do not change.

Adding, removing or renaming a file changes the directory that holds it; overwriting one does not. So no file is looked
at in a directory whose times are the remembered ones, and one that was overwritten since counts as it did before.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from domainbed.errors import InputError
from domainbed.files import DAY, cache_folder, remove_leftovers, whole_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
RECENT = 2 * 10**9  # nanoseconds; a directory may change again that soon without its times telling


@dataclass(frozen=True)
class Listing:
    """What a directory holds, hidden entries aside, and what came of decoding its images.

    Attributes:
        times: of its modification and change, in nanoseconds; None where they are recent.
        folders: the names of the folders in it, sorted.
        images: the names of the images in it, sorted.
        state: a digest of the images' names, sizes and times of modification.
        decoded: the `state` in which every image was decoded; "" for none.
        faulty: the names of the images that could not be decoded then.
    """

    times: list[int] | None
    folders: list[str]
    images: list[str]
    state: str
    decoded: str = ""
    faulty: list[str] = field(default_factory=list)


class FolderIndex:
    """The images below a folder, by directory.

    Args:
        folder: whose real path identifies the index in the cache.

    Attributes:
        listings: relative path of a directory -> what it holds; "" is the folder itself.

    Raises:
        InputError: a directory cannot be read, a link leads nowhere or in a circle, or what is named like an image is
            no file.
    """

    def __init__(self, folder: Path):
        self.folder = str(folder)
        self._remembered = _load(self.folder)
        self.listings = dict(_walk(self.folder, self._listing))

    def folders(self) -> list[str]:
        """The names of the folders in the folder, sorted."""
        return self.listings[""].folders

    def images(self, name: str) -> list[str]:
        """The paths of all images below a folder in the folder, in the order of torchvision's ImageFolder."""
        return [path for below in self._below(name) for path in self.paths(below, self.listings[below].images)]

    def undecoded(self) -> list[tuple[str, list[str]]]:
        """The images of each directory that were not decoded in their present state, or could not be.

        Those directly in the folder are left out, as they are from `images`.
        """
        left = (
            (relative, listing.faulty if listing.decoded == listing.state else listing.images)
            for relative, listing in sorted(self.listings.items())
            if relative
        )
        return [(relative, images) for relative, images in left if images]

    def faulty(self) -> list[str]:
        """The paths of the images that could not be decoded."""
        return [path for below, listing in sorted(self.listings.items()) for path in self.paths(below, listing.faulty)]

    def paths(self, relative: str, images: Iterable[str]) -> list[str]:
        """The paths of images in a directory."""
        directory = os.path.join(self.folder, relative, "")
        return [directory + image for image in images]

    def save(self) -> None:
        """Remember the index as it is now; without a usable cache everything is looked at again next time."""
        if self.listings == self._remembered:
            return
        content = json.dumps({relative: vars(listing) for relative, listing in self.listings.items()})
        with contextlib.suppress(OSError):
            path = _cache_file(self.folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path.parent, DAY)
            with whole_file(path) as file:
                file.write(content.encode())
            self._remembered = dict(self.listings)

    def _listing(self, path: str, relative: str, times: list[int]) -> Listing:
        known = self._remembered.get(relative)
        if known and known.times == times:
            return known
        fresh = _with_state(_names(path), path, times if time.time_ns() - max(times) > RECENT else None)
        if known and known.decoded == fresh.state:
            return replace(fresh, decoded=known.decoded, faulty=known.faulty)
        return fresh

    def _below(self, name: str) -> list[str]:
        found, left = [], [name]
        while left:
            found.append(left.pop())
            left += [os.path.join(found[-1], folder) for folder in self.listings[found[-1]].folders]
        return sorted(found)


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, hidden ones aside.

    Raises:
        InputError: as `FolderIndex`.
    """
    return _names(str(folder)).folders


def image_files(folder: Path) -> list[str]:
    """The paths of the images below a folder, in the order of torchvision's ImageFolder; nothing that is hidden.

    Raises:
        InputError: as `FolderIndex`.
    """
    found = dict(_walk(str(folder), lambda path, *_: _names(path)))
    return [os.path.join(folder, relative, name) for relative in sorted(found) for name in found[relative].images]


def _walk(folder: str, listing: Callable[[str, str, list[int]], Listing]) -> Iterator[tuple[str, Listing]]:
    """The relative path of every directory and its listing, made from its path, relative path and times."""
    left: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while left:
        relative, above = left.pop()
        path = os.path.join(folder, relative) if relative else folder
        with _readable(path):
            status = os.stat(path)
        identity = status.st_dev, status.st_ino
        if identity in above:
            raise InputError(f"{path} is a link to a folder that holds it; remove the link")
        found = listing(path, relative, [status.st_mtime_ns, status.st_ctime_ns])
        yield relative, found
        left += [(os.path.join(relative, name), (*above, identity)) for name in found.folders]


def _names(path: str) -> Listing:
    """What a directory holds; nothing is found out of its images."""
    folders, images = [], []
    with _readable(path), os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                target = os.readlink(entry.path)
                raise InputError(f"{entry.path} is a link to {target}, which is not there; remove it, or restore that")
            elif entry.name.lower().endswith(SUFFIXES):
                if not entry.is_file():
                    raise InputError(f"{entry.path} is named like an image and is no file; remove or rename it")
                images.append(entry.name)
    return Listing(None, sorted(folders), sorted(images), "")


def _with_state(listing: Listing, path: str, times: list[int] | None) -> Listing:
    digest = hashlib.md5()
    for name in listing.images:
        with _readable(path):
            status = os.stat(os.path.join(path, name))
        digest.update(os.fsencode(name) + b"\0%d\0%d\n" % (status.st_size, status.st_mtime_ns))
    return replace(listing, times=times, state=digest.hexdigest())


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise InputError(f"{place} cannot be read ({error.strerror}); make it readable, or remove it") from error


def _cache_file(folder: str) -> Path:
    return cache_folder() / "folders" / hashlib.md5(os.fsencode(os.path.realpath(folder))).hexdigest()


def _load(folder: str) -> dict[str, Listing]:
    try:
        entries = json.loads(_cache_file(folder).read_bytes())
        return {relative: Listing(**entry) for relative, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
