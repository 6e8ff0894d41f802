"""Room on the disk."""

import errno
import shutil
from pathlib import Path

from domainbed.errors import InputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
REMEDY = "make room, or choose another --data_dir, and run it again"


def check_room(what: str, lacking: int, folder: Path) -> None:
    """Check that a folder's disk has room for that many bytes.

    Raises:
        InputError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if lacking > free:
        raise InputError(f"{what} needs {lacking / 1e9:.1f} GB more, {folder} has {free / 1e9:.1f}; {REMEDY}")


def disk_full(folder: Path) -> InputError:
    """What to raise where writing failed with one of DISK_FULL."""
    return InputError(f"{folder}: the disk is full; {REMEDY}")
