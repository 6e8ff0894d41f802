"""Launchers, which run the commands of a sweep: on this machine, on its GPUs, or elsewhere.

A launcher takes a list of command strings and returns their exit codes in the same order, or None if it does not
wait for them. To add one, offer it under the entry point group `domainbed.launchers`, put it into REGISTRY, or, as in
DomainBed, offer `register_command_launchers(REGISTRY)` in a module `domainbed.facebook`.
"""

import importlib
import os
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from tqdm import tqdm

from domainbed.errors import InputError
from domainbed.registry import Registry

Launcher = Callable[[list[str]], Sequence[int] | None]

POLL_SECONDS = 0.1
GRACE_SECONDS = 10


def local_launcher(commands: Sequence[str], *, jobs: int = 1) -> list[int]:
    """Run on this machine, `jobs` at a time, and wait for all of them."""
    return _run(commands, [{}] * jobs)


def dummy_launcher(commands: Sequence[str]) -> None:
    """Only print the commands."""
    for command in commands:
        print(f"Dummy launcher: {command}")


def multi_gpu_launcher(commands: Sequence[str]) -> list[int]:
    """Run on this machine, one command per GPU at a time, and wait for all of them.

    Raises:
        InputError: no GPU is visible.
    """
    print("WARNING: using experimental multi_gpu_launcher.")
    return _run(commands, [{"CUDA_VISIBLE_DEVICES": device} for device in visible_devices()])


def visible_devices() -> list[str]:
    """Device ids from CUDA_VISIBLE_DEVICES, or all devices where it is not set.

    Raises:
        InputError: there are none.
    """
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        import torch

        devices = [str(index) for index in range(torch.cuda.device_count())]
    else:
        devices = [device.strip() for device in listed.split(",") if device.strip()]
    if not devices:
        found = "PyTorch finds none" if listed is None else f"CUDA_VISIBLE_DEVICES is {listed!r}"
        raise InputError(f"multi_gpu needs a visible CUDA device and {found}; use --command_launcher local")
    return devices


def _run(commands: Sequence[str], slots: Sequence[dict[str, str]]) -> list[int]:
    """Keep one command running per slot, with the slot's environment variables, until all have ended."""
    codes = [0] * len(commands)
    waiting = deque(enumerate(commands))
    running: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}
    with tqdm(total=len(commands), desc="sweep", unit="job", disable=not commands) as bar:
        try:
            while waiting or running:
                for slot, variables in enumerate(slots):
                    if slot in running and running[slot][1].poll() is not None:
                        index, process = running.pop(slot)
                        codes[index] = process.returncode
                        bar.update()
                    if slot not in running and waiting:
                        index, command = waiting.popleft()
                        running[slot] = index, _start(command, slot, variables)
                time.sleep(POLL_SECONDS)
        finally:
            _stop([process for _, process in running.values()])
    return codes


def _start(command: str, slot: int, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """The command, under the running interpreter. What it prints is in its out.txt already.

    Its own progress bar, if it shows one, takes a line below the sweep's: tqdm reads its defaults from TQDM_*.
    """
    argv = shlex.split(command)
    if argv[0] == "python":
        argv[0] = sys.executable
    bar = {"TQDM_POSITION": str(slot + 1), "TQDM_LEAVE": ""}
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, env={**os.environ, **bar, **variables})


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


REGISTRY: dict[str, Launcher] = {"local": local_launcher, "dummy": dummy_launcher, "multi_gpu": multi_gpu_launcher}
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
