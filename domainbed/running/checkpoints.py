"""Weights and checkpoints on disk."""

import pickle
from pathlib import Path
from typing import Any

import torch

from domainbed.errors import InputError
from domainbed.files import whole_file

REMEDY = "restore it, or delete it and results.jsonl to train from the start"


def save(path: Path, content: dict[str, Any]) -> None:
    """`torch.save`, whole or not at all. Tensors and plain Python values only, so that `load` can read them."""
    with whole_file(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # After Ctrl-C or a full disk PyTorch tries to end its archive all the same, and complains of that alone.
            raise error.__context__ or error from None


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU. Nothing in the file can execute code."""
    return torch.load(path, map_location="cpu", weights_only=True)


def load_run_state(path: Path) -> dict[str, Any]:
    """The checkpoint of an interrupted run: its `args`, the last `step`, and the `algorithm`'s state.

    Raises:
        InputError: the file is cut short, or something else.
    """
    try:
        state = load(path)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        state = None
    if not isinstance(state, dict) or not state.keys() >= {"args", "step", "algorithm"}:
        raise InputError(f"{path} is damaged, or no checkpoint of a run; {REMEDY}")
    return state


def continue_from(path: Path, algorithm: torch.nn.Module, state: dict[str, Any]) -> None:
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
