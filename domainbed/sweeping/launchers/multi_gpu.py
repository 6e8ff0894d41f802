"""The launcher for the GPUs of this machine."""

import itertools
import os
import sys
from collections.abc import Sequence

from domainbed.errors import OUT_OF_MEMORY, InputError
from domainbed.sweeping.launchers import processes


def multi_gpu_launcher(commands: Sequence[str], *, jobs_per_gpu: int = 1) -> list[int]:
    """Run on this machine, `jobs_per_gpu` commands per GPU at a time, and wait for all of them.

    One that ends with OUT_OF_MEMORY is tried once more when the others have ended, alone on a GPU.

    Raises:
        InputError: no GPU is visible.
    """
    print("WARNING: using experimental multi_gpu_launcher.")
    gpus = [{"CUDA_VISIBLE_DEVICES": device} for device in visible_devices()]
    codes = processes.run(commands, gpus * jobs_per_gpu)
    short = [index for index, code in enumerate(codes) if code == OUT_OF_MEMORY]
    if short:
        print(f"Trying {len(short)} jobs that were out of memory once more, each alone on a GPU.", file=sys.stderr)
        again = processes.run([commands[index] for index in short], gpus)
        for index, code in zip(short, again, strict=True):
            codes[index] = code
    return codes


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
        named = (device.strip() for device in listed.split(","))
        devices = list(itertools.takewhile(lambda device: device != "-1", filter(None, named)))  # CUDA sees no further
    if not devices:
        found = "PyTorch finds none" if listed is None else f"CUDA_VISIBLE_DEVICES is {listed!r}"
        raise InputError(f"multi_gpu needs a visible CUDA device and {found}; use --command_launcher local")
    return devices
