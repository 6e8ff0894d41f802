"""Exclusive lock on a run directory, `<output_dir>/lock`. The system releases it however the process ends."""

import errno
import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from domainbed.errors import InputError

NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


@contextmanager
def exclusive_lock(output_dir: str | Path, timeout: float = 1.0) -> Iterator[None]:
    """Lock an existing output_dir for this process alone, its data-loading workers not included.

    On a file system that has no locks nothing is locked, which a warning says.

    Args:
        output_dir: of the run.
        timeout: seconds to wait for another holder, and for those who ask `is_live`.

    Raises:
        InputError: another process holds the directory, or has deleted it.
    """
    path = Path(output_dir) / "lock"
    locked: os.stat_result | None
    lock = FileLock(path, timeout=timeout, preserve_lock_file=True)
    try:
        lock.acquire()
        locked = os.stat(path)
    except FileNotFoundError:
        lock.release()
        raise InputError(f"{output_dir} was deleted just now; the same command makes it anew") from None
    except Timeout:
        raise _alive(output_dir) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warnings.warn(
            f"{output_dir} is on a file system without locks ({error.strerror}); assumed that no other process trains"
            " there",
            stacklevel=3,
        )
        locked = None
    try:
        yield
    finally:
        # While it is locked, for nobody accepts a lock on a file that was removed. Where the directory was deleted
        # inside, another process may have made and locked it anew.
        with suppress(OSError):
            if locked is None or os.path.samestat(locked, os.stat(path)):
                path.unlink()
        lock.release()


def is_live(output_dir: str | Path) -> bool:
    """Whether a process holds the directory now, on this machine or, with a shared file system, on another."""
    # Not by filelock, which would create the file, write to it, and keep those who ask at the same time apart.
    try:
        with open(Path(output_dir) / "lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return False


def check_free(output_dir: str | Path) -> None:
    """Check that no process holds the directory, before work is spent on it; who wants it must still lock it.

    Raises:
        InputError: a process does.
    """
    if is_live(output_dir):
        raise _alive(output_dir)


def _alive(output_dir: str | Path) -> InputError:
    return InputError(f"{output_dir} belongs to a run that is still alive; wait for it or end it first")
