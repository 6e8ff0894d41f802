"""Write the table of docs/algorithms.md anew: every algorithm with its passes, hyperparameters and source.

python docs/algorithm_table.py
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from domainbed.algorithms import Algorithm, combinator_names, get_algorithm_class
from domainbed.algorithms.base import HparamSpace
from domainbed.algorithms.registry import split
from domainbed.running.hparams import hparam_space

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from passes import NEEDED

PAGE = Path(__file__).with_name("algorithms.md")
BEGIN, END = "<!-- begin: python docs/algorithm_table.py -->\n", "<!-- end -->\n"
COMBINED = {"GGA": "NAME's; in the window, the search's too", "GGA_L": "ERM: 1 + 1; others: 1 + 1 more"}
SMALL, LARGE = "RotatedMNIST", "PACS"


def lambda_body(draw: Callable[..., Any]) -> str:
    """The expression that a lambda returns, as its file has it, the names it closes over resolved."""
    source = Path(inspect.getsourcefile(draw) or "").read_text(encoding="utf-8")
    code = draw.__code__
    starting_here = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno
    ]
    # Twins on one line, such as a default for each kind of dataset, differ in what they compile to.
    body = next(
        node.body for node in starting_here if _fingerprint(_compiled(node, code.co_freevars)) == _fingerprint(code)
    )
    names = inspect.getclosurevars(draw).nonlocals
    if isinstance(body, ast.IfExp) and isinstance(body.test, ast.Name):
        body = body.body if names[body.test.id] else body.orelse
    text = ast.get_source_segment(source, body) or ""
    for name, value in names.items():
        text = re.sub(rf"\b{name}\b", repr(value), text)
    return text


def _compiled(node: ast.Lambda, free: tuple[str, ...]) -> CodeType:
    """The code of a lambda, compiled where the names in `free` are those of a function around it."""
    module = compile(f"lambda {', '.join(free)}: {ast.unparse(node)}", "", "eval")
    around = next(constant for constant in module.co_consts if isinstance(constant, CodeType))
    return next(constant for constant in around.co_consts if isinstance(constant, CodeType))


def _fingerprint(code: CodeType) -> tuple[Any, ...]:
    return code.co_code, code.co_consts, code.co_names, code.co_freevars


def value_and_draw(default: Any, draw: Callable[..., Any]) -> str:
    """A default, and how random search draws: 100 (`10 ** uniform(-1, 5)`); the default alone where they are one."""
    value = f"{default:g}" if isinstance(default, float) else str(default)
    drawn = re.sub(r"\br\.", "", lambda_body(draw))
    return value if drawn.strip("'\"") in (value, str(default)) else f"{value} (`{drawn}`)"


def hyperparameters(small: HparamSpace, large: HparamSpace) -> str:
    """One line for each: on small images, and on photographs where that differs."""
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
        own = hyperparameters(cls.hparam_space(SMALL), cls.hparam_space(LARGE))
        rows.append((name, str(passes), own, source(cls)))
    for name in combinator_names():
        combinator = split(name)[1]
        own = hyperparameters(combinator.hparam_space(SMALL), combinator.hparam_space(LARGE))
        rows.append((f"`<NAME>_{name}`", COMBINED.get(name, ""), own, source(get_algorithm_class(name))))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def updated(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
