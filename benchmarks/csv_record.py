"""The benchmarks' --csv: what was measured, from which docs/published_numbers.py writes the documentation."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from domainbed.files import whole_file


def add_csv_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", type=Path, help="also write what was measured here")


def write_csv(path: Path | None, rows: Sequence[dict[str, Any]]) -> None:
    """One line per row, under the names of all, empty where a row has none; nothing without a path."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(pd.DataFrame(rows).to_csv(index=False, float_format="%.4g").encode())
