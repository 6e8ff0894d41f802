"""Files that are written whole or not at all, and where cached ones belong."""

import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from domainbed.errors import InputError

FAILED = "failed"
"""The file in a run's directory that says with which error the last attempt ended; `running.failure` writes it."""


DAY = 24 * 60 * 60
"""Seconds; an age of leftovers at which nobody can be writing them."""


def check_directory(path: Path) -> None:
    """Check that a directory is there and can be written to, or could be made.

    Raises:
        InputError: it could not.
    """
    existing = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not existing.is_dir():
        raise InputError(f"{existing} is not a directory; choose another --output_dir")
    if not os.access(existing, os.W_OK):
        raise InputError(f"{existing} cannot be written to; choose another --output_dir")


def make_directory(path: Path) -> None:
    """Make a directory and its parents, if it is not there.

    Raises:
        InputError: the system refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made ({error.strerror}); choose another --output_dir") from None


@contextmanager
def whole_file(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file that takes the name `path` once the block has ended without an error.

    Readers see the old file, or all of the new one; an interruption leaves the old one.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def is_done(output_dir: str | Path) -> bool:
    """Whether the run in that directory has ended; nothing of it may be changed then."""
    return Path(output_dir, "done").exists()


def write_done(output_dir: Path) -> None:
    """Mark the run in that directory as ended, when everything else of it is there."""
    with whole_file(output_dir / "done", "w") as file:
        file.write("done")


def remove_leftovers(directory: Path, age: float = 0) -> None:
    """Remove the temporary files that killed processes left in a directory.

    Args:
        directory: where nobody writes a file for as long as `age`.
        age: seconds between now and the last change of a file that is removed; clocks may have been set back.
    """
    for path in directory.iterdir():
        if re.fullmatch(r"\..+\.[0-9a-f]{32}", path.name):
            with suppress(FileNotFoundError):  # its writer has given it its name meanwhile
                if path.is_file() and abs(time.time() - path.stat().st_mtime) >= age:
                    path.unlink()


def cache_folder() -> Path:
    """This user's cache of the testbed: $XDG_CACHE_HOME/domainbed, or ~/.cache/domainbed where that is not set.

    Source: XDG Base Directory Specification, by which a relative path counts as not set.

    Raises:
        OSError: the user has no home directory.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        return Path(given, "domainbed")
    try:
        return Path.home() / ".cache" / "domainbed"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from None
