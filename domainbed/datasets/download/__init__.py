"""Published datasets: fetched, unpacked and laid out as they are read.

Everything is made in DATA_DIR/.download and takes its place by one rename at the end, so that a dataset's folder is
there whole or not at all. What was interrupted continues.
"""

import contextlib
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from domainbed.datasets import get_dataset_class
from domainbed.datasets.download.archives import Unusable, unpack
from domainbed.datasets.download.delegated import DELEGATED
from domainbed.datasets.download.layout import read_list, remove_listed
from domainbed.datasets.download.manifest import MANIFEST, Archive, Published
from domainbed.datasets.download.room import DISK_FULL, disk_full
from domainbed.datasets.download.transfer import Unavailable, digest, fetch
from domainbed.errors import InputError, nearest

STAGE = ".download"


def check_name(name: str) -> None:
    """Raises InputError unless the dataset is one that can be fetched."""
    if name in MANIFEST or name in DELEGATED:
        return
    get_dataset_class(name)
    raise InputError(f"{name} needs no download{nearest(name, [*DELEGATED, *MANIFEST])}")


def stage_of(name: str, root: Path) -> Path:
    """Where a dataset is made, in the folders `archives` and `unpacked`; datasets of the same archives share it."""
    return root / STAGE / (MANIFEST[name].folder if name in MANIFEST else name)


def remove_empty(stage: Path) -> None:
    """Remove a stage, unless it holds what a later call can use."""
    for folder in (stage / "archives", stage, stage.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def download(
    name: str,
    root: Path,
    given: Sequence[Path] = (),
    duplicates: Path | None = None,
    keep_archives: bool = False,
) -> None:
    """Put a dataset into the data folder `root`, unless it is there.

    Args:
        name: as in `domainbed.datasets`.
        root: the data folder.
        given: archives that were fetched by hand; they stay where they are.
        duplicates: a list of the files that DomainNet's folder should not hold, removed also where that is there.
        keep_archives: leave what was downloaded in the stage.

    Raises:
        InputError: something else is in the dataset's place, an archive is not what it should be, or no source
            delivers it and it has to be fetched by hand.
    """
    if name in DELEGATED:
        return DELEGATED[name].fetch(root)
    published = MANIFEST[name]
    listed = _given_list(published.duplicates, duplicates, published.domains)
    place = found(published, root)
    if place is None:
        return _make(name, root, given, listed, keep_archives)
    if given:
        warnings.warn(f"{place} is there already; the archives given are not used", stacklevel=2)
    remove_listed(place, listed or [])


def found(published: Published, root: Path) -> Path | None:
    """The folder with all domains of a dataset, or None if its place is free.

    Raises:
        InputError: something else is there.
    """
    for folder in (published.folder, *published.also_in):
        if all((root / folder / domain).is_dir() for domain in published.domains):
            return root / folder
    place = root / published.folder
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        lacking = [domain for domain in published.domains if not (place / domain).is_dir()]
        raise InputError(f"{place} is there, but without {', '.join(lacking)}; move it away or complete it")
    return None


def _make(name: str, root: Path, given: Sequence[Path], listed: list[str] | None, keep_archives: bool) -> None:
    published, place = MANIFEST[name], root / MANIFEST[name].folder
    fetched, unpacked = stage_of(name, root) / "archives", stage_of(name, root) / "unpacked"
    chosen = _match(name, published.archives, given)
    fetched.mkdir(parents=True, exist_ok=True)
    archives = [
        chosen.get(archive.name) or _fetch(archive, fetched, published.by_hand) for archive in published.archives
    ]
    if listed is None and published.duplicates:
        listed = _fetch_list(published.duplicates, fetched, published.domains)
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        for archive in archives:
            _unpack(archive, unpacked, fetched)
        made = _arrange(published, unpacked, archives)
        remove_listed(made, listed or [])
        if place.exists():
            place.rmdir()
        made.rename(place)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    if not keep_archives:
        shutil.rmtree(fetched)


def _match(name: str, archives: Sequence[Archive], given: Sequence[Path]) -> dict[str, Path]:
    """Archive's name -> the copy fetched by hand; by file name, unless there is only one."""
    for path in given:
        if not path.is_file():
            raise InputError(f"--from_archive {path}: no such file")
    if len(archives) == len(given) == 1:
        return {archives[0].name: given[0]}
    names = [archive.name for archive in archives]
    for path in given:
        if path.name not in names:
            raise InputError(f"--from_archive {path}: the archives of {name} are {', '.join(names)}")
    return {path.name: path for path in given}


def _fetch(archive: Archive, folder: Path, by_hand: str) -> Path:
    path = folder / archive.name
    if not path.exists():
        try:
            fetch(archive.sources, path, archive.size, archive.checksum)
        except Unavailable as reasons:
            raise InputError(
                f"{archive.name} cannot be downloaded ({reasons}); get it by hand, from {by_hand}, and give it as "
                "--from_archive FILE"
            ) from None
    return path


def _unpack(archive: Path, unpacked: Path, fetched: Path) -> None:
    """Unpack; a downloaded archive that is damaged or refused is of no use and deleted, a given one stays."""
    try:
        unpack(archive, unpacked)
    except Unusable:
        if archive.parent == fetched:
            archive.unlink()
        raise


def _arrange(published: Published, unpacked: Path, archives: Sequence[Path]) -> Path:
    """The folder that becomes the dataset's. Where there is none, any of the archives may be wrong: all are named."""
    try:
        return published.arrange(unpacked, published.domains)
    except InputError as error:
        raise InputError(
            f"{error}; what is wrong is in {', '.join(map(str, archives))}: give the right file as --from_archive "
            "FILE, or delete the wrong one to have it downloaded again"
        ) from None
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(unpacked) from None
        raise


def _given_list(known: Archive | None, path: Path | None, domains: Sequence[str]) -> list[str] | None:
    if known is None or path is None:
        return None
    listed = read_list(path, domains)
    if known.checksum and digest(path, known.checksum.partition(":")[0]) != known.checksum:
        warnings.warn(f"{path} is not DomainBed's list ({known.checksum}); it is used all the same", stacklevel=3)
    return listed


def _fetch_list(archive: Archive, folder: Path, domains: Sequence[str]) -> list[str]:
    path = folder / archive.name
    try:
        fetch(archive.sources, path, archive.size, archive.checksum, pause=0.1)
    except Unavailable as reasons:
        warnings.warn(
            f"the list {archive.name} cannot be downloaded ({reasons}); the duplicates stay in; give DomainBed's file "
            "as --duplicates FILE to have them removed",
            stacklevel=3,
        )
        return []
    return read_list(path, domains)
