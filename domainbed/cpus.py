"""The number of CPUs that a process may use."""

import os


def usable_cpus() -> int:
    """The CPUs that this process may use: of those there are, what a scheduler or `taskset` allows it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
