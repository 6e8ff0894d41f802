"""SIGTERM and SIGUSR1: a machine asks a run to end. Slurm sends either of them before it takes the machine away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
EXIT_CODE = 128 + signal.SIGTERM  # after either, as a shell reports a command that SIGTERM ended


class Stopped(BaseException):
    """The run was asked to end. No `Exception`, so that nobody takes it for a failure."""


class _State:
    """What the signal handler and the code that it interrupts know of each other."""

    arrived = False
    deferring = 0


@contextmanager
def stop_signals() -> Iterator[None]:
    """Within, in the main thread, the first of SIGNALS raises Stopped, at once or where `deferred` ends."""
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield
        return
    _State.arrived = False
    before = {number: signal.signal(number, _handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _State.arrived = False


@contextmanager
def deferred() -> Iterator[None]:
    """A block that is finished first: Stopped is raised at its end."""
    _State.deferring += 1
    try:
        yield
    finally:
        _State.deferring -= 1
    raise_if_asked()


def raise_if_asked() -> None:
    """Raise Stopped if a signal has arrived. Python drops what a handler raises in some places, such as `__del__`."""
    if _State.arrived and not _State.deferring:
        raise Stopped


def _handle(number: int, frame: Any) -> None:
    # Only once: the state is being saved when the next one arrives.
    if not _State.arrived:
        _State.arrived = True
        raise_if_asked()
