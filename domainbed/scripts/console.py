"""What the scripts have in common: bad input and warnings are one line each on stderr, a warning only once."""

import io
import sys
import warnings
from collections.abc import Callable
from typing import Any

from domainbed.errors import InputError


def exit_code(work: Callable[..., int | None], *args: Any) -> int:
    """Do the work. Returns its exit code (0 for None), or 2 after bad input."""
    shown: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            print(f"warning: {message}", file=sys.stderr)

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for paths that are not UTF-8; stderr does so by default
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        try:
            return work(*args) or 0
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
