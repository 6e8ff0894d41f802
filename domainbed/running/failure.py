"""The file `failed` in a run's directory: one line that says with which error the last attempt ended.

An attempt that was killed or interrupted leaves none, and the next one removes it when it begins: a run with the file
has failed, one without it has at most stopped.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domainbed.errors import InputError
from domainbed.files import FAILED, is_done, whole_file


@contextmanager
def recorded(output_dir: Path) -> Iterator[None]:
    """Record the error that ends the block."""
    try:
        yield
    except InputError as error:
        record(output_dir, f"error: {error}")
        raise
    except Exception as error:
        record(output_dir, f"{type(error).__name__}: {error}")
        raise


def record(output_dir: Path, line: str) -> None:
    """Write the line, its line breaks replaced by spaces, unless there is no such directory or its run is done."""
    # Where the file cannot be written, as on a full disk, the error itself is what the user must see.
    with suppress(OSError):
        if output_dir.is_dir() and not is_done(output_dir):
            with whole_file(output_dir / FAILED) as file:
                file.write(" ".join(line.split()).encode("utf-8", "backslashreplace"))


def forget(output_dir: Path) -> None:
    """Remove the record of an earlier attempt."""
    (output_dir / FAILED).unlink(missing_ok=True)


def last_error(output_dir: str | Path) -> str | None:
    """The recorded line, or None if the last attempt did not end with an error."""
    try:
        return (Path(output_dir) / FAILED).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
