"""What the scripts that read results have in common: bad input and warnings are one line each on stderr."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

from domainbed.errors import InputError


def exit_code(work: Callable[..., None], *args: Any) -> int:
    """Do the work. Returns 0, or 2 after bad input."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _show
        try:
            work(*args)
        except InputError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


def _show(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
