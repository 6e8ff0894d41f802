"""Weights and checkpoints on disk."""

from pathlib import Path
from typing import Any

import torch

from domainbed.files import whole_file


def save(path: Path, content: dict[str, Any]) -> None:
    """`torch.save`, whole or not at all. Tensors and plain Python values only, so that `load` can read them."""
    with whole_file(path) as file:
        torch.save(content, file)


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU. Nothing in the file can execute code."""
    return torch.load(path, map_location="cpu", weights_only=True)


def weights(algorithm: torch.nn.Module) -> dict[str, Any]:
    """Parameters and buffers alone, as DomainBed's model.pkl has them: no optimizer or other extra state."""
    return {name: value for name, value in algorithm.state_dict().items() if not name.endswith("_extra_state")}
