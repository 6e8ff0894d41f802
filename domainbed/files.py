"""Files that are written whole or not at all."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


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


def remove_leftovers(directory: Path) -> None:
    """Remove the temporary files that killed processes left in a directory where nobody is writing now."""
    for path in directory.iterdir():
        if re.fullmatch(r"\..+\.[0-9a-f]{32}", path.name):
            path.unlink()
