"""Launchers that need nothing but this machine."""

from collections.abc import Sequence

from domainbed.sweeping.launchers import processes


def local_launcher(commands: Sequence[str], *, jobs: int = 1) -> list[int]:
    """Run on this machine, `jobs` at a time, and wait for all of them.

    Several share the usable CPUs out as OMP_NUM_THREADS, unless that is set.
    """
    return processes.run(commands, [{}] * jobs)


def dummy_launcher(commands: Sequence[str]) -> None:
    """Only print the commands."""
    for command in commands:
        print(f"Dummy launcher: {command}")
