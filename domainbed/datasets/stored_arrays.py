"""Images that are made here rather than downloaded, stored as arrays under the data folder."""

import contextlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from domainbed.files import whole_file

Domains = dict[str, tuple[np.ndarray, np.ndarray]]
"""Environment -> images (n, ...) uint8 and labels (n,) int64."""


def stored(path: Path | None, environments: Sequence[str], build: Callable[[], Domains]) -> Domains:
    """What the file holds; if it is missing or damaged, what `build` makes, which is then written to it.

    Args:
        path: None, or in a folder that cannot be written to: built each time.
    """
    domains = _read(path, environments) if path else None
    if domains is None:
        domains = build()
        if path:
            _write(path, domains)
    return domains


def _read(path: Path, environments: Sequence[str]) -> Domains | None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: (arrays[f"{name}_x"], arrays[f"{name}_y"]) for name in environments}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, domains: Domains) -> None:
    # A folder that cannot be written to only costs the time to build again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {f"{name}_x": x for name, (x, _) in domains.items()}
        arrays |= {f"{name}_y": y for name, (_, y) in domains.items()}
        with whole_file(path) as file:
            np.savez(file, **arrays)
