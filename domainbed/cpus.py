"""The number of CPUs that a process may use."""

import os


def usable_cpus() -> int:
    """The CPUs that this process may use: of those there are, what a Slurm job or `taskset` allows it."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cpus, int(os.environ.get("SLURM_CPUS_ON_NODE", cpus)))
