"""The flags of scripts/sweep.py that choose a launcher, and what they mean to it."""

import argparse
import functools
import inspect
from typing import Any

from domainbed.errors import InputError
from domainbed.sweeping.launchers import get_launcher, launcher_names
from domainbed.sweeping.launchers.command import Command, Launcher, flag_words
from domainbed.sweeping.launchers.multi_gpu import visible_devices
from domainbed.sweeping.launchers.processes import share_of_cpus
from domainbed.sweeping.launchers.slurm import slurm_settings

MOST_WORKERS = 8  # as in scripts/train.py
OF_RUNS = ("cache_dir", "checkpoint_minutes", "device", "logger", "num_workers")
"""Flags of scripts/train.py that change no number, and so belong to no job's name."""


def add_launcher_flags(parser: argparse.ArgumentParser) -> None:
    """Add --command_launcher, and the flags that are handed to a launcher which has a parameter of that name."""
    add = parser.add_argument
    add("--command_launcher", default="local", help=f"one of {', '.join(launcher_names())} (default: local)")
    add("--jobs", type=int, metavar="N", help="local: processes at a time, which share the CPUs out (default: 1)")
    add("--jobs_per_gpu", type=int, metavar="N", help="multi_gpu: processes at a time on each GPU (default: 1)")
    add(
        "--slurm",
        nargs="+",
        metavar="KEY=VALUE",
        help="slurm: time=MINUTES, grace=SECONDS, parallel=JOBS, and options of sbatch, such as partition=gpu gpus=1",
    )
    add("--device", help="of the runs, such as cpu or cuda:1; default: a GPU where there is one")
    add("--num_workers", type=int, help="of each run: processes loading images; default: a share of the CPUs")
    add("--cache_dir", help="of the runs: where decoded images are kept; none: nowhere")
    add("--checkpoint_minutes", type=float, help="of the runs: most work that a killed one does again; default: 10")
    add("--logger", nargs="+", metavar="NAME", help="trackers of the runs' records, such as tensorboard")
    add("--follow", action="store_const", const=True, help="slurm: show progress until the jobs have ended")


def chosen_launcher(args: argparse.Namespace) -> Launcher:
    """The launcher of the flags, which hands them on, and to every run the flags that belong to no job's name.

    Raises:
        InputError: a bad flag, or a launcher that cannot work here.
    """
    launcher = get_launcher(args.command_launcher)
    options = _options(args, launcher)
    of_runs = {name: getattr(args, name) for name in OF_RUNS if getattr(args, name) is not None}
    at_a_time = _processes_here(args.command_launcher, args.device, options)
    if at_a_time > 1:
        of_runs.setdefault("num_workers", min(MOST_WORKERS, share_of_cpus(at_a_time)))
    added = list(flag_words(of_runs))
    chosen = functools.partial(launcher, **options)
    return (lambda commands: chosen([Command([*command.argv, *added]) for command in commands])) if added else chosen


def _options(args: argparse.Namespace, launcher: Launcher) -> dict[str, Any]:
    """The launcher's keyword arguments."""
    flags = ("jobs", "jobs_per_gpu", "slurm", "follow")
    given = {name: getattr(args, name) for name in flags if getattr(args, name) is not None}
    for name, value in given.items():
        if not _takes(launcher, name):
            takers = " or ".join(other for other in launcher_names() if _takes(get_launcher(other), name))
            raise InputError(f"--{name} goes only with --command_launcher {takers}")
        if isinstance(value, int) and value < 1:
            raise InputError(f"--{name} {value}: give at least 1")
    return given | ({"output_dir": args.output_dir} if _takes(launcher, "output_dir") else {})


def _takes(launcher: Launcher, name: str) -> bool:
    try:
        return name in inspect.signature(launcher).parameters
    except ValueError:  # some functions in C have no signature
        return False


def _processes_here(name: str, device: str | None, options: dict[str, Any]) -> int:
    """How many runs share the CPUs of this machine, for the launchers of which we know.

    Raises:
        InputError: there is no GPU for multi_gpu, or no Slurm for slurm, or its settings are wrong.
    """
    if name == "multi_gpu":
        if device is not None:
            raise InputError("--device goes not with --command_launcher multi_gpu, which gives each run a GPU")
        return len(visible_devices()) * options.get("jobs_per_gpu", 1)
    if name == "slurm":
        slurm_settings(options.get("slurm", ()))
    return options.get("jobs", 1) if name == "local" else 1
