"""Launchers, which run the commands of a sweep: on this machine, on its GPUs, on a cluster, or elsewhere.

A launcher takes a list of commands and returns their exit codes in the same order, or None if it does not wait for
them. A command is a string for a shell, as in DomainBed, and has the attribute `argv`, which needs no shell. To add a
launcher, offer it under the entry point group `domainbed.launchers`, put it into REGISTRY, or, as in DomainBed, offer
`register_command_launchers(REGISTRY)` in a module `domainbed.facebook`.
"""

import importlib

from domainbed.registry import Registry
from domainbed.sweeping.launchers.command import Command, Launcher
from domainbed.sweeping.launchers.local import dummy_launcher, local_launcher
from domainbed.sweeping.launchers.multi_gpu import multi_gpu_launcher, visible_devices
from domainbed.sweeping.launchers.slurm import slurm_launcher

__all__ = [
    "REGISTRY", "Command", "Launcher", "dummy_launcher", "get_launcher", "launcher_names", "local_launcher",
    "multi_gpu_launcher", "slurm_launcher", "visible_devices",
]  # fmt: skip

REGISTRY: dict[str, Launcher] = {
    "local": local_launcher,
    "dummy": dummy_launcher,
    "multi_gpu": multi_gpu_launcher,
    "slurm": slurm_launcher,
}
_launchers = Registry("Command launcher", "domainbed.launchers", REGISTRY)

try:
    _plugin = importlib.import_module("domainbed.facebook")
except ModuleNotFoundError as error:
    if error.name != "domainbed.facebook":
        raise
else:
    _plugin.register_command_launchers(REGISTRY)


def launcher_names() -> list[str]:
    """Every launcher, those of installed packages last."""
    return list(_launchers.entries())


def get_launcher(name: str) -> Launcher:
    """The launcher of that name.

    Raises:
        UnknownName: there is none.
    """
    return _launchers.get(name)
