"""Tables as plain text or LaTeX, and the mean and standard error in a cell."""

from collections.abc import Iterable, Sequence

import numpy as np

MISSING = "X"
LATEX_SPECIALS = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def mean_and_error(accuracies: Sequence[float], ddof: int = 0) -> tuple[float, float]:
    """Mean and standard error, in percent, of accuracies in [0, 1]; NaN where there are too few.

    Args:
        accuracies: one per trial.
        ddof: 0 for the population's standard deviation, as DomainBed prints; 1 for the sample's.
    """
    n = len(accuracies)
    mean = 100 * float(np.mean(accuracies)) if n else float("nan")
    error = 100 * float(np.std(np.asarray(accuracies) / np.sqrt(n), ddof=ddof)) if n > ddof else float("nan")
    return mean, error


def format_cell(mean: float, error: float, latex: bool) -> str:
    """`97.3 +/- 0.4`, or the same for LaTeX."""
    plus_minus = r"$\pm$" if latex else "+/-"
    return f"{mean:.1f} {plus_minus} {error:.1f}"


def format_mean(data: Iterable[float], latex: bool) -> tuple[float | None, float | None, str]:
    """Mean and standard error in percent, and their text; (None, None, "X") of nothing."""
    accuracies = list(data)
    if not accuracies:
        return None, None, MISSING
    mean, error = mean_and_error(accuracies)
    return mean, error, format_cell(mean, error, latex)


def format_row(row: Iterable[object], colwidth: int = 10, latex: bool = False) -> str:
    """One line. Floats get ten decimals; each cell is padded, then cut, to `colwidth` characters."""
    separator, end = (" & ", "\\\\") if latex else ("  ", "")
    return separator.join(_text(cell).ljust(colwidth)[:colwidth] for cell in row) + " " + end


def print_row(row: Iterable[object], colwidth: int = 10, latex: bool = False) -> None:
    """Print `format_row`."""
    print(format_row(row, colwidth, latex))


def print_separator() -> None:
    """Print a line across the screen."""
    print("=" * 80)


def format_table(
    table: Sequence[Sequence[object]],
    header_text: str,
    row_labels: Sequence[str],
    col_labels: Sequence[str],
    colwidth: int = 10,
    latex: bool = True,
    cut: bool = True,
) -> str:
    """A table as text.

    Args:
        table: the cells, row by row, without labels.
        header_text: stands above a plain table; LaTeX has none.
        row_labels: one per row.
        col_labels: one per column; the first stands above the row labels.
        colwidth: characters per column.
        latex: LaTeX instead of plain text. Labels are escaped, cells are not.
        cut: cut what is wider than `colwidth`, markup included, as DomainBed does; otherwise widen all columns.
    """
    if latex:
        row_labels = [escape_latex(label) for label in row_labels]
        col_labels = [f"\\textbf{{{escape_latex(label)}}}" for label in col_labels]
    rows: list[list[object]] = [[*col_labels]]
    rows += [[label, *cells] for label, cells in zip(row_labels, table, strict=True)]
    if not cut:
        colwidth = max([colwidth, *(len(_text(cell)) for row in rows for cell in row)])
    head, *body = (format_row(row, colwidth, latex) for row in rows)
    if not latex:
        return "\n".join(["", f"-------- {header_text}", head, *body]) + "\n"
    columns = "l" + "c" * (len(table[0]) if table else len(col_labels) - 1)
    begin = ["\\begin{center}", "\\adjustbox{max width=\\textwidth}{%", f"\\begin{{tabular}}{{{columns}}}", "\\toprule"]
    end = ["\\bottomrule", "\\end{tabular}}", "\\end{center}"]
    return "\n".join(["", *begin, head, "\\midrule", *body, *end]) + "\n"


def print_table(
    table: Sequence[Sequence[object]],
    header_text: str,
    row_labels: Sequence[str],
    col_labels: Sequence[str],
    colwidth: int = 10,
    latex: bool = True,
) -> None:
    """Print `format_table`, wide cells cut."""
    print(format_table(table, header_text, row_labels, col_labels, colwidth, latex), end="")


def escape_latex(text: str) -> str:
    """The text with the characters that LaTeX reads as commands escaped."""
    return "".join(LATEX_SPECIALS.get(character, character) for character in text)


def _text(cell: object) -> str:
    return f"{cell:.10f}" if isinstance(cell, (float, np.floating)) else str(cell)
