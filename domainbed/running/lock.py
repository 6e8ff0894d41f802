"""Which runs are alive. A run locks `<output_dir>/lock`; the system releases the lock however the process ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domainbed.errors import InputError


@contextmanager
def claim(output_dir: str | Path, patience: float = 7.0) -> Iterator[None]:
    """Hold an existing output_dir for this process alone; the lock file is gone afterwards.

    Args:
        output_dir: of the run.
        patience: seconds to wait for another holder. Data-loading workers share the lock of the run that forked
            them, and outlive a killed one by up to five seconds.

    Raises:
        InputError: another process holds the directory.
    """
    path = Path(output_dir) / "lock"
    deadline = time.monotonic() + patience
    while (held := _try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise InputError(f"{output_dir} belongs to a run that is still alive; wait for it or end it first")
        time.sleep(0.1)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(held)


def is_live(output_dir: str | Path) -> bool:
    """Whether a process holds the directory now, on this machine or, with a shared file system, on another."""
    try:
        with open(Path(output_dir) / "lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _try_lock(path: Path) -> int | None:
    """The descriptor of the locked file, or None if another process has it or removed it while we were opening it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        return None
    return descriptor
