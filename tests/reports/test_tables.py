import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainbed.reports.tables import escape_latex, format_mean, mean_and_error, print_row, print_separator, print_table


def test_format_mean_of_a_tenth_two_and_three():
    """Mean 20 %; population std 8.165 %, over the root of 3: 4.714 %."""
    mean, error, text = format_mean([0.1, 0.2, 0.3], False)
    assert mean == pytest.approx(20)
    assert error == pytest.approx(100 * math.sqrt(0.02 / 3) / math.sqrt(3))
    assert text == "20.0 +/- 4.7"
    assert format_mean([0.1, 0.2, 0.3], True)[2] == r"20.0 $\pm$ 4.7"
    assert format_mean([], False) == (None, None, "X")


def test_the_samples_standard_deviation_on_request():
    """Sample std of 0.1, 0.2, 0.3 is 0.1; over the root of 3: 5.77 %. One trial has none."""
    assert mean_and_error([0.1, 0.2, 0.3], ddof=1) == pytest.approx((20, 10 / math.sqrt(3)))
    assert mean_and_error([0.5]) == (50, 0)
    mean, error = mean_and_error([0.5], ddof=1)
    assert mean == 50
    assert math.isnan(error)


def test_rows_pad_and_cut_and_print_floats_with_ten_decimals(capsys):
    print_row(["step", 1, 0.25, np.float32(0.5), "much too long for it"], colwidth=12)
    assert capsys.readouterr().out == "step          1             0.2500000000  0.5000000000  much too lon \n"
    print_row(["a", 0.25], colwidth=4, latex=True)
    assert capsys.readouterr().out == "a    & 0.25 \\\\\n"


def test_separator(capsys):
    print_separator()
    assert capsys.readouterr().out == "=" * 80 + "\n"


def test_plain_table(capsys):
    print_table([["1", "2"], ["3", "4"]], "Header", ["R1", "R2"], ["Name", "C1", "C2"], colwidth=10, latex=False)
    assert capsys.readouterr().out == (
        "\n"
        "-------- Header\n"
        "Name        C1          C2         \n"
        "R1          1           2          \n"
        "R2          3           4          \n"
    )


def test_latex_table_cuts_its_header_at_the_column_width(capsys):
    print_table([["1", "2%"]], "Header", ["R_1"], ["N", "C1", "C%"], colwidth=10, latex=True)
    assert capsys.readouterr().out == (
        "\n"
        "\\begin{center}\n"
        "\\adjustbox{max width=\\textwidth}{%\n"
        "\\begin{tabular}{lcc}\n"
        "\\toprule\n"
        "\\textbf{N} & \\textbf{C1 & \\textbf{C\\ \\\\\n"
        "\\midrule\n"
        "R\\_1       & 1          & 2%         \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}}\n"
        "\\end{center}\n"
    )


def test_latex_specials_are_escaped():
    assert escape_latex("IB_ERM +90% a&b #1 {x}") == r"IB\_ERM +90\% a\&b \#1 \{x\}"
    assert escape_latex("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_error_is_the_standard_deviation_over_the_root_of_n(accuracies):
    mean, error = mean_and_error(accuracies)
    assert mean == pytest.approx(100 * sum(accuracies) / len(accuracies))
    assert error == pytest.approx(100 * np.std(accuracies) / math.sqrt(len(accuracies)), abs=1e-9)
