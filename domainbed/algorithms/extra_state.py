"""State of an algorithm beyond parameters and buffers, as plain values for a checkpoint.

Saved are numbers, strings, tensors, NumPy arrays, every object with `state_dict` and `load_state_dict` (optimizers,
schedules, moving averages), and lists, tuples, dicts and deques of all these, wherever the algorithm or one of its
modules has them as attributes. A dict of a special kind continues as such where the constructor makes one.
"""

import types
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from domainbed.errors import InputError

SCALARS = (bool, int, float, str, type(None))
# Never change, so that there is nothing to save.
CONSTANTS = (
    type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, partial,
    torch.device, torch.dtype, torch.Size,
)  # fmt: skip
# Keys of a dict with one entry, which stands for a value that torch.load(weights_only=True) does not read as it is.
STATE_DICT, ARRAY, ON_DEVICE, NOT_SAVED = "__state_dict__", "__array__", "__on_device__", "__not_saved__"
DEQUE, DICT = "__deque__", "__dict__"  # of (its items, its maxlen), and of (its name in DICTS, its items)
MARKS = {STATE_DICT, ARRAY, ON_DEVICE, NOT_SAVED, DEQUE, DICT}
DICTS: dict[str, type[dict[Any, Any]]] = {"dict": dict, "OrderedDict": OrderedDict, "Counter": Counter}
# Libraries whose modules have no state but parameters and buffers.
STATELESS_LIBRARIES = ("torch", "torchvision", "timm")

_MODULE_ATTRIBUTES = {*vars(nn.Module()), "hparams"}
ABSENT = object()
"""Stands for an attribute or element that is not there."""


class ExtraState:
    """The plain form of an algorithm's attributes, which `restored` reads.

    Args:
        algorithm: its parameters, buffers and modules are in its state_dict already, wherever they appear again.
        stateless: names of attributes to leave out, as `hparams` is.

    Attributes:
        state: attribute -> plain value; that of a module has the module's path before it, as in "network.count".
        unsaved: "name (type)" of every object that could not be saved.
    """

    def __init__(self, algorithm: nn.Module, stateless: Iterable[str] = ()):
        self.registered = {
            id(part) for kind in (algorithm.parameters(), algorithm.buffers(), algorithm.modules()) for part in kind
        }
        self.unsaved: list[str] = []
        skipped = set(stateless)
        self.state = {
            path + name: self._plain(path + name, value)
            for path, module in _modules(algorithm)
            for name, value in vars(module).items()
            if name not in _MODULE_ATTRIBUTES and path + name not in skipped
        }

    def _plain(self, name: str, value: Any) -> Any:
        """The plain form of a value; `name` says where it stands."""
        if type(value) in SCALARS:
            return value
        if id(value) in self.registered or isinstance(value, CONSTANTS):
            return {NOT_SAVED: None}
        if isinstance(value, Tensor):
            tensor = value if value.is_leaf else value.detach()
            return tensor if tensor.device.type == "cpu" else {ON_DEVICE: tensor}
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf" and value.itemsize <= 8:
            return {ARRAY: torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="C"))}
        if keeps_state(value):
            return {STATE_DICT: self._plain(name, value.state_dict())}
        if isinstance(value, dict) and all(type(key) in SCALARS for key in value):
            items = {key: self._plain(f"{name}[{key!r}]", item) for key, item in value.items()}
            kind = type(value).__name__ if type(value) in DICTS.values() else "dict"
            return items if kind == "dict" and MARKS.isdisjoint(items) else {DICT: (kind, items)}
        if type(value) in (list, tuple, deque):
            elements = [self._plain(f"{name}[{place}]", item) for place, item in enumerate(value)]
            if isinstance(value, deque):
                return {DEQUE: (elements, value.maxlen)}
            return tuple(elements) if isinstance(value, tuple) else elements
        self.unsaved.append(f"{name} ({type(value).__name__})")
        return {NOT_SAVED: None}


def restored(name: str, current: Any, plain: Any, device: torch.device) -> Any:
    """The value whose plain form is given. Objects and containers that the constructor made are filled in place.

    Args:
        name: where the value stands.
        current: what stands there now.
        plain: the value's plain form.
        device: of tensors that were not on the CPU.

    Raises:
        InputError: an object to load the state into is missing.
    """
    kind, content = _marked(plain)
    if kind == NOT_SAVED:
        return current
    if kind == STATE_DICT:
        if not keeps_state(current):
            raise InputError(f"{name} has a saved state, but the constructor makes no object for it; create it there")
        current.load_state_dict(restored(name, ABSENT, content, device))
        return current
    if kind == ARRAY:
        array = content.numpy()
        return array if array.ndim else array[()]
    if kind == ON_DEVICE:
        return _filled(current, content.to(device))
    if isinstance(plain, Tensor):
        return _filled(current, plain)
    if kind == DEQUE:
        plain, maxlen = content
        current = current if isinstance(current, deque) else deque(maxlen=maxlen)
    if kind == DICT:
        made_by, plain = content
        current = current if isinstance(current, dict) else DICTS[made_by]()
    if isinstance(plain, dict):
        return _restored_dict(name, current, plain, device)
    if isinstance(plain, (list, tuple)):
        return _restored_sequence(name, current, plain, device)
    return plain


def keeps_state(value: object) -> bool:
    """Whether the value saves and loads its state by itself."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def _modules(algorithm: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The algorithm and its modules, each with what precedes its attributes' names; without the modules of those that
    save extra state themselves, as an algorithm inside another does, and of libraries.
    """
    yield "", algorithm
    saved_elsewhere = {algorithm}
    for module in algorithm.modules():
        if module is not algorithm and type(module).get_extra_state is not nn.Module.get_extra_state:
            saved_elsewhere.update(module.modules())
    for name, child in algorithm.named_children():
        for path, module in child.named_modules(saved_elsewhere, name):
            if type(module).__module__.partition(".")[0] not in STATELESS_LIBRARIES:
                yield f"{path}.", module


def _marked(plain: Any) -> tuple[Any, Any]:
    """The one key and value of a dict that stands for something else; of no interest for other values."""
    return next(iter(plain.items())) if isinstance(plain, dict) and len(plain) == 1 else (None, None)


def _filled(current: Any, value: Tensor) -> Tensor:
    """The value, in the memory of the current tensor where it fits: an optimizer may know that one."""
    if not isinstance(current, Tensor):
        return value
    if current.shape != value.shape or current.dtype != value.dtype or 0 in current.stride():
        return value.to(current.device)
    with torch.no_grad():
        return current.copy_(value)


def _restored_dict(name: str, current: Any, plain: dict[Any, Any], device: torch.device) -> dict[Any, Any]:
    present = current if isinstance(current, dict) else {}
    items = {key: restored(f"{name}[{key!r}]", present.get(key, ABSENT), item, device) for key, item in plain.items()}
    items = {key: item for key, item in items.items() if item is not ABSENT}
    if not isinstance(current, dict):
        return items
    current.clear()
    current.update(items)
    return current


def _restored_sequence(name: str, current: Any, plain: Any, device: torch.device) -> Any:
    present = list(current) if isinstance(current, (list, tuple, deque)) else []
    present += [ABSENT] * (len(plain) - len(present))
    items = [
        restored(f"{name}[{place}]", now, item, device)
        for place, (now, item) in enumerate(zip(present, plain, strict=False))
    ]
    items = [item for item in items if item is not ABSENT]
    if not isinstance(current, (list, deque)):
        return type(plain)(items)
    current.clear()
    current.extend(items)
    return current
