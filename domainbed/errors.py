"""Errors in the user's input: one line that says what is wrong and names the remedy."""

import difflib
from collections.abc import Iterable

OUT_OF_MEMORY = 75  # exit code of a run that a GPU had no memory for: EX_TEMPFAIL of sysexits.h, worth another try


class InputError(ValueError):
    """Bad input, found before any work was done. Scripts print the message alone and exit with code 2."""


class UnknownName(InputError, NotImplementedError):
    """A name that no registry knows. Also a NotImplementedError, which is what DomainBed raises."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names most like `name`, for the end of an error message: ' (nearest: ERM, IRM)' or ''."""
    known = list(known)
    folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    return f" (nearest: {', '.join(folded[match] for match in close)})" if close else f" (known: {', '.join(known)})"
