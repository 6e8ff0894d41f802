"""Published datasets: fetched, unpacked and laid out as they are read.

Everything is made in DATA_DIR/.download and takes its place by one rename at the end, so that a dataset's folder is
there whole or not at all. What was interrupted continues.
"""

import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from domainbed.datasets import get_dataset_class
from domainbed.datasets.download import delegated
from domainbed.datasets.download.archives import unpack
from domainbed.datasets.download.layout import remove_listed
from domainbed.datasets.download.manifest import MANIFEST, Archive, Published
from domainbed.datasets.download.transfer import Unavailable, digest, fetch
from domainbed.errors import InputError, nearest

STAGE = ".download"
DELEGATED: dict[str, Callable[[Path], None]] = {
    "ColoredMNIST": delegated.mnist,
    "RotatedMNIST": delegated.mnist,
    "WILDSCamelyon": delegated.camelyon,
    "WILDSFMoW": delegated.fmow,
}


def check_name(name: str) -> None:
    """Raises InputError unless the dataset is one that can be fetched."""
    if name in MANIFEST or name in DELEGATED:
        return
    get_dataset_class(name)
    raise InputError(f"{name} needs no download{nearest(name, [*DELEGATED, *MANIFEST])}")


def stage_of(name: str, root: Path) -> Path:
    """Where a dataset is fetched to and unpacked; datasets from the same archives share it."""
    return root / STAGE / (MANIFEST[name].folder if name in MANIFEST else name)


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
        return DELEGATED[name](root)
    published = MANIFEST[name]
    place = found(published, root)
    if place is None:
        return _make(name, root, given, duplicates, keep_archives)
    if given:
        warnings.warn(f"{place} is there already; the archives given are not used", stacklevel=2)
    if duplicates and published.duplicates:
        _remove_duplicates(published, place, duplicates)


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


def _make(name: str, root: Path, given: Sequence[Path], duplicates: Path | None, keep_archives: bool) -> None:
    published, stage = MANIFEST[name], stage_of(name, root)
    chosen = _match(name, published.archives, given)
    stage.mkdir(parents=True, exist_ok=True)
    archives = [chosen.get(archive.name) or _fetched(archive, stage, published.page) for archive in published.archives]
    unpacked = stage / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    try:
        for archive in archives:
            _unpack(archive, unpacked, stage)
        made = published.arrange(unpacked, published.domains)
        if published.duplicates:
            listed = duplicates or _list_of_duplicates(published.duplicates, stage)
            if listed:
                _remove_duplicates(published, made, listed)
        place = root / published.folder
        if place.exists():
            place.rmdir()
        made.rename(place)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    for path in stage.iterdir() if not keep_archives else ():
        if path.name in [archive.name for archive in (*published.archives, published.duplicates) if archive]:
            path.unlink()


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


def _fetched(archive: Archive, stage: Path, page: str) -> Path:
    path = stage / archive.name
    if not path.exists():
        try:
            fetch(archive.sources, path, archive.size, archive.checksum)
        except Unavailable as reasons:
            raise InputError(
                f"{archive.name} cannot be downloaded ({reasons}); get it by hand, from {page}, and give it as "
                "--from_archive FILE"
            ) from None
    return path


def _unpack(archive: Path, unpacked: Path, stage: Path) -> None:
    """Unpack; a downloaded archive that cannot be unpacked is of no use and deleted, a given one stays."""
    try:
        unpack(archive, unpacked)
    except InputError:
        if archive.parent == stage:
            archive.unlink()
        raise


def _list_of_duplicates(archive: Archive, stage: Path) -> Path | None:
    path = stage / archive.name
    try:
        fetch(archive.sources, path, archive.size, archive.checksum, pause=0.1)
    except Unavailable as reasons:
        warnings.warn(
            f"the list {archive.name} cannot be downloaded ({reasons}); the duplicates stay in; give DomainBed's file "
            "as --duplicates FILE to have them removed",
            stacklevel=2,
        )
        return None
    return path


def _remove_duplicates(published: Published, folder: Path, listed: Path) -> None:
    checksum = published.duplicates.checksum if published.duplicates else None
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"--duplicates {listed}: {error.strerror}") from None
    if checksum and digest(listed, checksum.partition(":")[0]) != checksum:
        warnings.warn(f"{listed} is not DomainBed's list ({checksum}); it is used all the same", stacklevel=2)
    remove_listed(folder, lines, published.domains)
