"""The processors of this process."""

import os


def usable_cpus() -> int:
    """The number of CPUs that this process may use, where a scheduler or `taskset` allows fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
