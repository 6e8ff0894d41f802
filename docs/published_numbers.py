"""Write the measured numbers of the documentation anew, from the CSV files under results/.

    python docs/published_numbers.py

A page marks what is written here with `<!-- begin: python docs/published_numbers.py NAME -->` and `<!-- end -->`;
NAME is a function in study_numbers.py or benchmark_numbers.py. results/measure.py makes the CSV files of the benchmarks
and of the demo; the pages of the studies name their commands.
"""

import re
from collections.abc import Callable

import benchmark_numbers
import study_numbers
from markdown_text import ROOT

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("results/*/README.md"))]
BLOCK = re.compile(r"(<!-- begin: python docs/published_numbers\.py (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WRITERS: dict[str, Callable[[], str]] = {
    writer.__name__: writer for writer in (*study_numbers.WRITERS, *benchmark_numbers.WRITERS)
}


def updated(page: str) -> str:
    """The page with its numbers as the records have them."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{WRITERS[block[2]]()}\n{block[3]}", page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
