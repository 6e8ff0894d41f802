"""What a run prints, on the screen and in its files."""

import contextlib
import io
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from domainbed.errors import InputError


class Tee(io.TextIOBase):
    """A text stream that writes to another one and to a file, both flushed at every write.

    Args:
        fname: the file.
        mode: "a" to append, "w" to start anew.
        stream: the other stream, left open by `close`; the present sys.stdout if None.
    """

    def __init__(self, fname: str | Path, mode: str = "a", stream: TextIO | None = None):
        self.stream = sys.stdout if stream is None else stream
        self.file = open(fname, mode, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115

    def write(self, text: str) -> int:
        self.stream.write(text)
        # On a full disk the run fails where it writes a record, and says so on the other stream.
        with contextlib.suppress(OSError):
            self.file.write(text)
        self.flush()
        return len(text)

    def flush(self) -> None:
        self.stream.flush()
        with contextlib.suppress(OSError):
            self.file.flush()

    def close(self) -> None:
        if not self.closed:
            super().close()
            with contextlib.suppress(OSError):
                self.file.close()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding


@contextlib.contextmanager
def tee(output_dir: str | Path) -> Iterator[None]:
    """Copy standard output to output_dir/out.txt and standard error to output_dir/err.txt, both appended.

    An exception that ends the run goes to err.txt too, bad input as one line, others with their traceback. The streams
    are restored and the files closed.
    """
    directory = Path(output_dir)
    with (
        Tee(directory / "out.txt") as out,
        Tee(directory / "err.txt", stream=sys.stderr) as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            yield
        except InputError as error:
            print(f"error: {error}", file=err.file)
            raise
        except Exception:
            traceback.print_exc(file=err.file)
            raise
