"""Whole reports: a sweep worked out by hand, a real one of DomainBed, and sweeps with something wrong."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from handmade import make_record, write_run, write_sweep

from domainbed.scripts.collect_results import main

PARITY = Path(__file__).parents[3] / "shared" / "parity"

# Errors: two trials that differ by 0.2 have the population std 0.1, over the root of 2: 7.07 %.
PLAIN = """\
Total records: 36

-------- Dataset: Debug28, model selection method: training-domain validation set
Algorithm             0                     1                     2                     Avg                  |
ERM                   70.0 +/- 7.1          75.0 +/- 7.1          80.0 +/- 7.1          75.0                 |
IB_ERM                50.0 +/- 0.0          50.0 +/- 0.0          50.0 +/- 0.0          50.0                 |

-------- Averages, model selection method: training-domain validation set
Algorithm                  Debug28                    Avg                       |
ERM                        75.0 +/- 7.1               75.0                      |
IB_ERM                     50.0 +/- 0.0               50.0                      |

-------- Dataset: Debug28, model selection method: leave-one-domain-out cross-validation
Algorithm             0                     1                     2                     Avg                  |
ERM                   50.0 +/- 7.1          55.0 +/- 7.1          60.0 +/- 7.1          55.0                 |
IB_ERM                X                     X                     X                     X                    |

-------- Averages, model selection method: leave-one-domain-out cross-validation
Algorithm                  Debug28                    Avg                       |
ERM                        55.0 +/- 7.1               55.0                      |
IB_ERM                     X                          X                         |

-------- Dataset: Debug28, model selection method: test-domain validation set (oracle)
Algorithm             0                     1                     2                     Avg                  |
ERM                   80.0 +/- 0.0          85.0 +/- 0.0          90.0 +/- 0.0          85.0                 |
IB_ERM                50.0 +/- 0.0          50.0 +/- 0.0          50.0 +/- 0.0          50.0                 |

-------- Averages, model selection method: test-domain validation set (oracle)
Algorithm                  Debug28                    Avg                       |
ERM                        85.0 +/- 0.0               85.0                      |
IB_ERM                     50.0 +/- 0.0               50.0                      |
""".replace(" |\n", " \n")

FOOTER = """\
18 runs complete, 0 incomplete
training-domain validation set needs runs with one test environment, and held-out data of the training environments
leave-one-domain-out cross-validation needs for each training environment a run that holds it out besides the test \
environment, with the same steps: a sweep without --single_test_envs
X, leave-one-domain-out cross-validation: no run that holds out each training environment as well: IB_ERM on Debug28
test-domain validation set (oracle) needs runs with one test environment, and held-out data of that environment; \
the last record counts
"""

LATEX = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{adjustbox}
\begin{document}
\section{Full DomainBed results}
% Total records: 36

\subsection{Model selection: training-domain validation set}

\subsubsection{Debug28}

\begin{center}
\adjustbox{max width=\textwidth}{%
\begin{tabular}{lcccc}
\toprule
\textbf{Algorithm}   & \textbf{0}           & \textbf{1}           & \textbf{2}           & \textbf{Avg}         \\
\midrule
ERM                  & 70.0 $\pm$ 7.1       & 75.0 $\pm$ 7.1       & 80.0 $\pm$ 7.1       & 75.0                 \\
IB\_ERM              & 50.0 $\pm$ 0.0       & 50.0 $\pm$ 0.0       & 50.0 $\pm$ 0.0       & 50.0                 \\
\bottomrule
\end{tabular}}
\end{center}

\subsubsection{Averages}

\begin{center}
\adjustbox{max width=\textwidth}{%
\begin{tabular}{lcc}
\toprule
\textbf{Algorithm}        & \textbf{Debug28}          & \textbf{Avg}              \\
\midrule
ERM                       & 75.0 $\pm$ 7.1            & 75.0                      \\
IB\_ERM                   & 50.0 $\pm$ 0.0            & 50.0                      \\
\bottomrule
\end{tabular}}
\end{center}

\subsection{Model selection: leave-one-domain-out cross-validation}
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep"
    write_sweep(path)
    return path


def collect(*flags):
    assert main(list(map(str, flags))) == 0


def row(text, table, name):
    """The cells of a row of a table, found by the words above it."""
    lines = text[text.index(table) :].splitlines()
    return re.split(r"  +", next(line for line in lines if line.startswith(f"{name} ")).strip())


def test_a_clean_sweep(sweep, capsys):
    """In environment 0, ERM's trials reach by training-domain validation 0.6 (step 0) and 0.8 (step 1), by
    leave-one-out 0.6 and 0.4 (step 0 in both), and by the oracle 0.8 and 0.8 (the last step); environments 1 and 2
    add 0.05 and 0.1. The averages' trials are the means over environments, that is those of environment 1.
    """
    collect("--input_dir", sweep)
    out, err = capsys.readouterr()
    assert out == PLAIN
    assert (sweep / "results.txt").read_text() == PLAIN
    assert err == FOOTER


def test_a_clean_sweep_in_latex(sweep, capsys):
    collect("--input_dir", sweep, "--latex")
    out, _ = capsys.readouterr()
    assert out.startswith(LATEX)
    assert out.endswith("\\end{center}\n\\end{document}\n")
    assert (sweep / "results.tex").read_text() == out
    assert not (sweep / "results.txt").exists()


def test_flags_may_be_abbreviated(sweep, capsys):
    collect("--input", sweep, "--lat")
    assert capsys.readouterr().out.startswith("\\documentclass")


@pytest.mark.skipif(not PARITY.is_dir(), reason=f"no recorded sweep in {PARITY}")
def test_a_real_sweep_of_domainbed_gives_its_tables(capsys):
    collect("--input_dir", PARITY / "sweep", "--output", "-")
    assert capsys.readouterr().out == (PARITY / "sweep-tables.txt").read_text()


def test_output_goes_where_it_is_told(sweep, tmp_path, capsys):
    before = sorted(sweep.iterdir())
    collect("--input_dir", sweep, "--output", "-")
    collect("--input_dir", sweep, "--output", tmp_path / "tables.txt")
    assert sorted(sweep.iterdir()) == before
    assert (tmp_path / "tables.txt").read_text() == PLAIN


def test_a_place_that_cannot_be_written_is_named_after_the_tables(sweep, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["--input_dir", str(sweep), "--output", str(tmp_path / "file" / "tables.txt")]) == 2
    out, err = capsys.readouterr()
    assert out == PLAIN
    assert "cannot write" in err
    assert "--output" in err


def test_csv_holds_every_cell_with_its_number_of_trials(sweep, tmp_path):
    collect("--input_dir", sweep, "--output", "-", "--csv", tmp_path / "cells.csv")
    frame = pd.read_csv(tmp_path / "cells.csv", dtype={"environment": str})
    assert len(frame) == 3 * 2 * 4
    cells = frame.set_index(["selection_method", "algorithm", "environment"])
    cell = cells.loc[("training-domain validation set", "ERM", "2")]
    assert cell["mean"] == pytest.approx(80)
    assert cell["standard_error"] == pytest.approx(10 / 2**0.5)
    assert cell["n_trials"] == 2
    missing = cells.loc[("leave-one-domain-out cross-validation", "IB_ERM", "Avg")]
    assert pd.isna(missing["mean"])
    assert missing["n_trials"] == 0


def test_sample_standard_deviation_on_request(sweep, capsys):
    """0.6 and 0.8 have the sample std 0.1414, over the root of 2: 10 %."""
    collect("--input_dir", sweep, "--output", "-", "--ddof", "1")
    assert row(capsys.readouterr().out, "Dataset", "ERM")[1] == "70.0 +/- 10.0"


def test_a_missing_environment_is_an_x_in_both_tables(sweep, capsys):
    for name in ("ib-0-2", "ib-1-2"):
        shutil.rmtree(sweep / name)
    collect("--input_dir", sweep)
    out, err = capsys.readouterr()
    assert row(out, "Dataset", "IB_ERM") == ["IB_ERM", "50.0 +/- 0.0", "50.0 +/- 0.0", "X", "X"]
    assert row(out, "Averages", "IB_ERM") == ["IB_ERM", "X", "X"]
    assert "IB_ERM on Debug28, training-domain validation set: trials per environment are 0 2, 1 2, 2 0, Avg 0" in err


def test_a_trial_that_lacks_an_environment_does_not_shift_the_averages(sweep, capsys):
    """Without its environment 2, trial 1 leaves the averages; trial 0 alone has (0.6 + 0.65 + 0.7) / 3 = 65 %."""
    shutil.rmtree(sweep / "erm-1-2")
    collect("--input_dir", sweep)
    out, err = capsys.readouterr()
    assert row(out, "Averages", "ERM") == ["ERM", "65.0 +/- 0.0", "65.0"]
    assert "ERM on Debug28, training-domain validation set: trials per environment are 0 2, 1 2, 2 1, Avg 1" in err


def test_incomplete_runs_are_named_and_left_out_on_request(sweep, capsys):
    for name in ("erm-0-0", "erm-1-0"):
        (sweep / name / "done").unlink()
    collect("--input_dir", sweep)
    out, err = capsys.readouterr()
    assert out == PLAIN
    assert err.startswith("16 runs complete, 2 incomplete (")
    assert "erm-0-0, erm-1-0" in err
    collect("--input_dir", sweep, "--only_complete")
    out, err = capsys.readouterr()
    assert out.startswith("Total records: 32\n")
    assert row(out, "Dataset", "ERM")[1] == "X"
    assert "left out" in err


def test_a_torn_line_is_skipped_with_a_warning_naming_the_file(sweep, capsys):
    path = sweep / "ib-0-0" / "results.jsonl"
    path.write_text(path.read_text()[:-20])
    collect("--input_dir", sweep)
    out, err = capsys.readouterr()
    assert out.startswith("Total records: 35\n")
    assert f"warning: {path}: the last line is cut short and was skipped\n" in err


def test_a_rerun_into_the_same_directory_changes_nothing(sweep, capsys):
    path = sweep / "erm-0-0" / "results.jsonl"
    path.write_text(path.read_text() * 2)
    collect("--input_dir", sweep)
    assert capsys.readouterr().out == PLAIN


@pytest.mark.parametrize("flags", [[], ["--latex"]])
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capsys, flags):
    assert main(["--input_dir", str(tmp_path / "nowhere"), *flags]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'nowhere'} is not a directory; it should hold a sweep, one directory per run\n"
    )
    assert main(["--input_dir", str(tmp_path), *flags]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert f"no records under {tmp_path}" in err
    path = write_run(tmp_path, "run", [make_record(0, [(0.1, 0.1, True)])]) / "results.jsonl"
    path.write_text("{\n" + path.read_text())
    assert main(["--input_dir", str(tmp_path), "--strict", *flags]) == 2
    assert f"{path}, line 1 is not a record" in capsys.readouterr().err


def test_datasets_and_environments_that_no_catalogue_knows_are_shown(tmp_path, capsys):
    """The catalogue's datasets first, in its order; then the others, in the order of the directories."""
    environments = [(0.5, 0.5, True), (0.5, 0.5, False)]
    names = ["ImageFolder:holiday_pictures_of_all", "Digits", "VLCS"]
    for index, name in enumerate(names):
        write_run(tmp_path, str(index), [make_record(0, environments, dataset=name, algorithm="Mine")])
    collect("--input_dir", tmp_path)
    out, _ = capsys.readouterr()
    headers = re.findall(r"Dataset: (\S+), model selection method: training", out)
    assert headers == ["VLCS", names[0], "Digits"]
    assert row(out, f"Dataset: {names[0]}", "Algorithm") == ["Algorithm", "env0", "env1", "Avg"]
    assert row(out, "Dataset: Digits", "Algorithm") == ["Algorithm", "mnist", "photo", "optdigits", "fonts", "Avg"]
    assert row(out, "Averages", "Algorithm") == ["Algorithm", "VLCS", names[0], "Digits", "Avg"]


def test_algorithms_are_in_table_order_then_as_first_seen(tmp_path, capsys):
    environments = [(0.5, 0.5, True), (0.5, 0.5, False)]
    for index, name in enumerate(["ERM_GGA", "GGA", "IRM", "ERM"]):
        write_run(tmp_path, str(index), [make_record(0, environments, algorithm=name)])
    collect("--input_dir", tmp_path)
    lines = capsys.readouterr().out.split("\n\n")[1].splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["ERM", "IRM", "ERM_GGA", "GGA"]


def test_latex_markup_is_never_cut(tmp_path, capsys):
    environments = [(0.5, 0.5, True)] + [(0.5, 0.5, False)] * 2
    write_run(tmp_path, "run", [make_record(0, environments, dataset="SpawriousO2O_medium")])
    collect("--input_dir", tmp_path, "--latex")
    out = capsys.readouterr().out
    assert "\\textbf{SpawriousO2O\\_medium} & " in out
    assert "\\textbf{SC\\_group\\_1} & " in out
    assert "\\subsubsection{SpawriousO2O\\_medium}" in out


def test_auto_lr_reports_the_second_stage(tmp_path, capsys):
    first = make_record(0, [(0.1, 0.7, True), (0.2, 0.6, False)])
    second = first | {"args": first["args"] | {"holdout_fraction": 0.0}, "fd_env0_in_acc": 0.4}
    write_run(tmp_path, "run", [first, second])
    collect("--input_dir", tmp_path, "--auto_lr")
    out = capsys.readouterr().out
    assert out.count("Dataset:") == 1
    assert "model selection method: auto lr training-domain validation set" in out
    assert row(out, "Dataset", "ERM")[1] == "40.0 +/- 0.0"


def test_reporting_imports_no_deep_learning():
    """No torch or torchvision; matplotlib and scipy only once a picture or a comparison is asked for."""
    modules = [
        "reports.aggregation",
        "reports.frames",
        "model_selection",
        "lib.query",
        "lib.reporting",
        "scripts.collect_results",
        "scripts.list_top_hparams",
    ]
    program = "import sys\n" + "".join(f"import domainbed.{module}\n" for module in modules)
    program += "print(sorted({'torch', 'torchvision', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)))"
    assert output_of(program) == "[]\n"


def test_what_training_imports_of_reports_needs_no_pandas():
    program = "import sys, domainbed.reports.records, domainbed.reports.tables\nprint('pandas' in sys.modules)"
    assert output_of(program) == "False\n"


def output_of(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True).stdout
