"""Safe unpacking of untrusted archives: plain files and folders, inside one folder, no more bytes than is plausible.

tarfile's `data` filter is not enough (it lets links pass, and early 3.10 and 3.11 lack it), and zipfile has none; so
both kinds go through the same checks, and no link, owner or mode of an archive reaches the file system.
"""

import gzip
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from domainbed.datasets.download.room import DISK_FULL, check_room, disk_full
from domainbed.errors import InputError

MOST_FILES = 2_000_000
MOST_EXPANSION = 100  # bytes unpacked for each byte of the archive; images have about 1, bombs 1000
CHUNK = 1 << 20
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, RuntimeError)

MISPLACED = (FileExistsError, NotADirectoryError, IsADirectoryError)  # a file has the name of a folder

Entry = tuple[str, IO[bytes] | None]
"""The name of a file in an archive and its content; None for a folder."""


class Unusable(InputError):
    """An archive that is damaged or refused, wherever it is unpacked."""


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a .zip, .tar or .tar.gz below `folder`, which need not be there.

    Raises:
        Unusable: it is no such archive, damaged, or holds what has no place in a dataset: links, devices, absolute
            names, names with `..`, more than MOST_FILES files, more than MOST_EXPANSION times its size in bytes.
        InputError: there is no room for it, or the system refuses to write it.
    """
    allowed = MOST_EXPANSION * archive.stat().st_size
    with open(archive, "rb") as file:
        beginning = file.read(2)
    entries = _zip_entries(archive) if beginning == b"PK" else _tar_entries(archive, beginning == b"\x1f\x8b")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        size = _content_size(archive, beginning)
        if size is not None and size <= allowed:  # else it is refused below
            check_room(f"the content of {archive.name}", size, folder)
        for number, (name, content) in enumerate(tqdm(entries, desc=f"{archive.name}: unpacking", disable=None)):
            if number == MOST_FILES:
                raise _refused(archive, name, f"is one of more than {MOST_FILES:,} files")
            path = folder / _safe(archive, name)
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                while chunk := content.read(CHUNK):
                    allowed -= len(chunk)
                    if allowed < 0:
                        raise _refused(archive, name, f"unpacks to over {MOST_EXPANSION} times the archive's size")
                    file.write(chunk)
    except DAMAGED as error:
        raise Unusable(f"{archive} is damaged or no archive ({error}); get it again") from None
    except MISPLACED as error:
        raise Unusable(f"{archive} cannot be unpacked, a file in it has the name of a folder ({error})") from None
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(folder) from None
        raise InputError(f"{archive} cannot be unpacked in {folder} ({error}); choose another --data_dir") from None


def _content_size(archive: Path, beginning: bytes) -> int | None:
    """About how many bytes the files in an archive have; None for a .tar.gz, which does not say."""
    if beginning == b"PK":
        with zipfile.ZipFile(archive) as packed:
            return sum(info.file_size for info in packed.infolist())
    return None if beginning == b"\x1f\x8b" else archive.stat().st_size


def _tar_entries(archive: Path, zipped: bool) -> Iterator[Entry]:
    with gzip.open(archive) if zipped else open(archive, "rb") as stream:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if not (member.isfile() or member.isdir()):
                    raise _refused(archive, member.name, "is a link or a device")
                yield member.name, tar.extractfile(member) if member.isfile() else None
        while stream.read(CHUNK):  # gzip compares its checksum at the end
            pass


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, info.filename, "is a link or a device")
            if info.is_dir():
                yield info.filename, None
            else:
                with packed.open(info) as content:
                    yield info.filename, content


def _safe(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
        raise _refused(archive, name, "would lie outside the dataset's folder")
    return path


def _refused(archive: Path, name: str, reason: str) -> Unusable:
    return Unusable(f"{archive}: {name!r} {reason}; nothing of it is used; get the archive from a source you trust")
