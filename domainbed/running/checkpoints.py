"""Weights and checkpoints on disk.

A run has its last two checkpoints, so that it continues from the one before where the last is damaged. They are written
one at a time, which takes the space of two, and are removed when the run is done.
"""

import os
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from domainbed.errors import InputError
from domainbed.files import whole_file

LAST, BEFORE = "checkpoint.pt", "checkpoint_before.pt"
REMEDY = "restore it, or delete checkpoint*.pt and results.jsonl to train from the start"


def save(path: Path, content: dict[str, Any]) -> None:
    """`torch.save`, whole or not at all. Tensors and plain Python values only, so that `load` can read them."""
    with whole_file(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # After Ctrl-C or a full disk PyTorch tries to end its archive all the same, and complains of that alone.
            raise error.__context__ or error from None


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, or an original DomainBed, on the CPU. Nothing in the file can execute code.

    Raises:
        InputError: the file holds other things than tensors and plain values, which are not loaded.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it holds {named[1]}, and to make that could run any code" if named else "it is damaged"
        raise InputError(f"{path} is not loaded: {reason}; tensors and plain values are") from None


def save_run_state(output_dir: Path, state: dict[str, Any]) -> None:
    """Save a run's state as its last checkpoint; the last one so far becomes the one before."""
    if (output_dir / LAST).exists():
        os.replace(output_dir / LAST, output_dir / BEFORE)
    save(output_dir / LAST, state)


def load_run_state(output_dir: Path) -> tuple[Path, dict[str, Any]] | None:
    """The last checkpoint of an interrupted run, or the one before where the last is damaged, which is said.

    Returns:
        Its path and its content: `args`, the last `step`, the `metrics` since the last record, and the `algorithm`'s
        state. None if there is no checkpoint.

    Raises:
        InputError: whatever there is, is damaged or something else.
    """
    paths = [output_dir / name for name in (LAST, BEFORE) if (output_dir / name).exists()]
    for path in paths:
        if state := _read_run_state(path):
            if path != paths[0]:
                warnings.warn(f"{paths[0]} is damaged; training continues from {path.name}", stacklevel=2)
            return path, state
    if paths:
        raise InputError(f"{paths[0]} is damaged, or no checkpoint of a run; {REMEDY}")
    return None


def _read_run_state(path: Path) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():  # torch.load checks no checksum
                return None
        state = load(path)
    except (zipfile.BadZipFile, RuntimeError, EOFError, InputError):
        return None
    return state if isinstance(state, dict) and state.keys() >= {"args", "step", "algorithm"} else None


def continue_with(path: Path) -> None:
    """Make the checkpoint at that path the last one; a damaged one in its place is lost."""
    os.replace(path, path.with_name(LAST))


def remove(output_dir: Path) -> None:
    """Remove the checkpoints of a run that is done."""
    for name in (BEFORE, LAST):
        if (output_dir / name).exists():  # whoever only looks at a finished run need not be allowed to write
            (output_dir / name).unlink(missing_ok=True)


def load_into(path: Path, algorithm: torch.nn.Module, state: dict[str, Any]) -> None:
    """Load the state that was read from that path.

    Raises:
        InputError: it is not that of such an algorithm.
    """
    try:
        algorithm.load_state_dict(state)
    except InputError:
        raise
    except (RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} does not fit the algorithm as it is now ({reason}); {REMEDY}") from None


def weights(algorithm: torch.nn.Module) -> dict[str, Any]:
    """Parameters and buffers alone, as DomainBed's model.pkl has them: no optimizer or other extra state."""
    return {name: value for name, value in algorithm.state_dict().items() if not name.endswith("_extra_state")}
