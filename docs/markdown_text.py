"""Records as Markdown, for docs/published_numbers.py."""

import textwrap
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]


def record(name: str) -> pd.DataFrame:
    """A CSV file under results/."""
    return pd.read_csv(ROOT / "results" / name)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(head)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def sentence(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False) + "\n"


def scientific(value: float) -> str:
    """1.5e-4"""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def digits3(value: float) -> str:
    """1.23, 12.3, 123, 1,234"""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def signed(value: float) -> str:
    """+0.2, -0.2, 0.0"""
    return f"{value:+.1f}" if round(value, 1) else "0.0"


def between(values: pd.Series) -> str:
    """The range of values, two digits each."""
    low, high = (f"{value:.2g}" if value >= 1e-3 else scientific(value) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
