"""Write the table of docs/algorithms.md anew: every algorithm with its passes, hyperparameters and source.

python docs/algorithm_table.py
"""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domainbed.algorithms import Algorithm, get_algorithm_class
from domainbed.algorithms.registry import split
from domainbed.hyperparameters import Distribution, HparamSpace
from domainbed.running.hparams import hparam_space

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from passes import NEEDED

PAGE = Path(__file__).with_name("algorithms.md")
BEGIN, END = "<!-- begin: python docs/algorithm_table.py -->\n", "<!-- end -->\n"
COMBINED = {
    "GGA": "NAME's; in the window, the search's too",
    "GGA_L": "ERM: 1 + 1; others: 1 + 1 more",
    "SWAD": "NAME's",
}
SMALL, LARGE = "RotatedMNIST", "PACS"


def value_and_draw(default: Any, distribution: Callable[..., Any]) -> str:
    """A default, and how random search draws unless it is that: 100 (`LogUniform(-1, 5)`); then a text's options."""
    value = f"{default:g}" if isinstance(default, float) else str(default)
    if not isinstance(distribution, Distribution):
        return f"{value} (a function)"
    drawn = "" if distribution.support() == (default,) else f" (`{distribution}`)"
    options = distribution.allowed if isinstance(distribution.allowed, tuple) else ()
    return value + drawn + (f", one of {', '.join(options)}" if options else "")


def hyperparameters(small: HparamSpace, large: HparamSpace) -> str:
    """One line for each: on 28x28 images, and on photographs where that differs."""
    lines = []
    for name in small | large:
        texts = [value_and_draw(*space[name]) if name in space else "as every algorithm" for space in (small, large)]
        lines.append(f"`{name}` {'; '.join(dict.fromkeys(texts))}")
    return "<br>".join(lines)


def source(cls: type[Algorithm]) -> str:
    """What the class's docstring, or that of the class it extends, names as its source, the paper's number a link."""
    docstrings = [inspect.cleandoc(parent.__doc__) for parent in cls.__mro__ if "Source: " in (parent.__doc__ or "")]
    text = " ".join(docstrings[0].partition("Source: ")[2].split("\n\n")[0].split())
    return re.sub(r"arXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def table() -> str:
    """The table in Markdown."""
    rows = [("Name", "Passes", "Hyperparameters: default (random draw)", "Source"), ("---",) * 4]
    common = hyperparameters(hparam_space("ERM", SMALL), hparam_space("ERM", LARGE))
    rows.append(("every algorithm", "", common, ""))
    for name, passes in NEEDED.items():
        cls = get_algorithm_class(name)
        added = hyperparameters(cls.hparam_space(SMALL), cls.hparam_space(LARGE))
        rows.append((name, str(passes), added, source(cls)))
    for name, passes in COMBINED.items():
        combinator = split(name)[1]
        added = hyperparameters(combinator.hparam_space(SMALL), combinator.hparam_space(LARGE))
        rows.append((f"`<NAME>_{name}`", passes, added, source(get_algorithm_class(name))))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def updated(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
