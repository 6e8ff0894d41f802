"""Records of sweeps, from results.jsonl to tables. Nothing here imports torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def load(directories: str | Path | Iterable[str | Path], strict: bool = False) -> "pd.DataFrame":
    """The records of one or several sweeps, one row per record; see `domainbed.reports.frames.load`."""
    from domainbed.reports import frames  # training imports this package, and needs no pandas

    return frames.load(directories, strict)
