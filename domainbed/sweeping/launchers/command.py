"""Commands as launchers get them."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# Its first argument is a list of commands; it returns their exit codes, or None.
Launcher = Callable[..., Any]


class Command(str):
    """A command as one line for a shell, which is what DomainBed's launchers take, and word by word, for no shell.

    Attributes:
        argv: its words.
    """

    argv: list[str]

    def __new__(cls, argv: Sequence[str]) -> "Command":
        command = super().__new__(cls, shlex.join(argv))
        command.argv = list(argv)
        return command

    def __getnewargs__(self) -> tuple[list[str]]:  # type: ignore[override]  # what __new__ takes, for pickles
        return (self.argv,)


def flag_words(values: dict[str, Any]) -> Iterator[str]:
    """Flags and their values, sorted by name; True is a bare switch, None and False are left out."""
    for name, value in sorted(values.items()):
        if value is None or value is False:
            continue
        yield f"--{name}"
        if value is not True:
            yield from (str(item) for item in (value if isinstance(value, list) else [value]))


def words(command: str) -> list[str]:
    """The words of a command, which may be a plain line for a shell; `python` is the interpreter that runs here."""
    argv = list(command.argv) if isinstance(command, Command) else shlex.split(command)
    return [sys.executable, *argv[1:]] if argv[0] == "python" else argv
