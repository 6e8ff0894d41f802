"""collect_results beyond DomainBed's flags: formats, choices, comparisons, published rows."""

import io
import json
import shutil

import pandas as pd
import pytest
from handmade import make_record, write_run, write_sweep

from domainbed.scripts.collect_results import main


@pytest.fixture
def sweep(tmp_path):
    write_sweep(tmp_path / "sweep")
    return tmp_path / "sweep"


def collect(capsys, *flags):
    assert main(list(map(str, flags))) == 0
    return capsys.readouterr()


def error(capsys, *flags):
    assert main(list(map(str, flags))) == 2
    out, err = capsys.readouterr()
    assert not out
    return err.splitlines()[-1]


def test_markdown(sweep, capsys):
    out, _ = collect(capsys, "--input_dir", sweep, "--format", "markdown", "--selection", "loo")
    assert out == (sweep / "results.md").read_text()
    assert out == (
        "Total records: 36\n"
        "\n**Dataset: Debug28, model selection method: leave-one-domain-out cross-validation**\n\n"
        "| Algorithm | 0 | 1 | 2 | Avg |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| ERM | 50.0 +/- 7.1 | 55.0 +/- 7.1 | 60.0 +/- 7.1 | 55.0 |\n"
        "| IB_ERM | X | X | X | X |\n"
        "\n**Averages, model selection method: leave-one-domain-out cross-validation**\n\n"
        "| Algorithm | Debug28 | Avg |\n"
        "| --- | --- | --- |\n"
        "| ERM | 55.0 +/- 7.1 | 55.0 |\n"
        "| IB_ERM | X | X |\n"
        "\n- leave-one-domain-out cross-validation needs for each training environment a run that holds it out besides "
        "the test environment, with the same steps: a sweep without --single_test_envs\n"
        "- X, leave-one-domain-out cross-validation: no run that holds out each training environment as well: "
        "IB_ERM on Debug28\n"
    )


def test_csv_json_and_html_hold_the_same_cells(sweep, capsys):
    out, _ = collect(capsys, "--input_dir", sweep, "--format", "csv")
    of_csv = pd.read_csv(io.StringIO(out), dtype={"environment": str})
    loaded = json.loads(collect(capsys, "--input_dir", sweep, "--format", "json")[0])
    assert loaded["total_records"] == 36
    of_json = pd.DataFrame(loaded["cells"]).astype(of_csv.dtypes)
    pd.testing.assert_frame_equal(of_csv, of_json)
    page, _ = collect(capsys, "--input_dir", sweep, "--format", "html")
    assert page.count("<table") == 6
    assert page.count("70.0 +/- 7.1") == (of_csv["mean"].round(1) == 70).sum() == 1
    assert "IB_ERM on Debug28</li>" in page


def test_names_are_escaped_in_html(tmp_path, capsys):
    write_run(tmp_path, "run", [make_record(0, [(0.5, 0.5, True), (0.5, 0.5, False)], algorithm="<script>")])
    page, _ = collect(capsys, "--input_dir", tmp_path, "--format", "html")
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_choices_of_selection_algorithms_and_datasets(sweep, capsys):
    write_run(sweep, "other", [make_record(0, [(0.5, 0.5, True), (0.5, 0.5, False)], dataset="PACS")])
    flags = ["--input_dir", sweep, "--selection", "oracle", "--algorithms", "IB_ERM", "--datasets", "Debug28"]
    out, _ = collect(capsys, *flags)
    assert out.startswith("Total records: 12\n")
    assert out.count("--------") == 2
    assert "oracle" in out
    assert "PACS" not in out
    assert "\nERM" not in out
    assert error(capsys, "--input_dir", sweep, "--algorithms", "IB_ERN") == (
        "error: no records of IB_ERN (nearest: IB_ERM)"
    )


def test_several_sweeps_are_one_table_and_are_written_nowhere(sweep, tmp_path, capsys):
    whole, _ = collect(capsys, "--input_dir", sweep, "--output", "-")
    for path in sorted(sweep.glob("ib-*")):
        (tmp_path / "second").mkdir(exist_ok=True)
        shutil.move(path, tmp_path / "second" / path.name)
    out, _ = collect(capsys, "--input_dir", sweep, tmp_path / "second")
    assert out == whole
    assert not list(tmp_path.glob("*/results.*"))


def test_why_a_cell_is_x(tmp_path, capsys):
    """A was run on environment 0 alone; B has no held-out data; of C, one run of two is at another step."""
    three = [(0.5, 0.5, True), (0.5, 0.5, False), (0.5, 0.5, False)]
    write_run(tmp_path, "a", [make_record(0, three, algorithm="A")])
    without = {name: value for name, value in make_record(0, three, algorithm="B").items() if "out" not in name}
    write_run(tmp_path, "b", [without])
    write_run(tmp_path, "c", [make_record(0, three, algorithm="C")])
    for step, pair in enumerate([(0, 1), (0, 2)]):
        environments = [(0.5, 0.5, env in pair) for env in range(3)]
        write_run(tmp_path, f"c{pair[1]}", [make_record(step, environments, algorithm="C")])
    write_run(tmp_path, "d", [make_record(0, three, algorithm="A", dataset="Other")])
    lines = collect(capsys, "--input_dir", tmp_path, "--selection", "iid", "loo")[1].splitlines()
    iid, loo = "X, training-domain validation set", "X, leave-one-domain-out cross-validation"
    assert f"{iid}: the records lack the accuracies that it needs: B on Debug28 (0)" in lines
    alone = ", ".join(f"{name} on Debug28 (1, 2)" for name in "ABC")
    assert f"{iid}: no run with this test environment alone: {alone}, A on Other (env1, env2)" in lines
    assert f"{iid}: no run: B on Other, C on Other" in lines
    (step,) = [line for line in lines if line.startswith(f"{loo}: no step at which all its runs have a record")]
    assert "must all end at the same" in step
    assert step.endswith(": C on Debug28 (0)")


def test_comparisons_with_a_baseline_in_every_format(sweep, capsys):
    """ERM less IB_ERM in the six pairs: 10, 30, 15, 35, 20 and 40 points; by environment 20, 25 and 30."""
    flags = ["--input_dir", sweep, "--output", "-", "--selection", "iid", "--baseline", "IB_ERM", "--power"]
    out, err = collect(capsys, *flags)
    *_, head, row = out.splitlines()
    assert head.split("  ")[0] == "Algorithm"
    assert row.split()[:7] == ["ERM", "6", "3", "+25.0", "+20.0", "to", "+30.0"]
    assert "Differences from IB_ERM in points, model selection method: training-domain validation set" in out
    assert "Quote the difference with its interval over environments" in err
    (compared,) = json.loads(collect(capsys, *flags, "--format", "json")[0])["comparisons"]
    assert compared["difference"] == pytest.approx(25)
    assert compared["p"] == pytest.approx(2 / 2**6)
    frame = pd.read_csv(io.StringIO(collect(capsys, *flags, "--format", "csv")[0]))
    assert frame["algorithm"].tolist() == ["ERM"]
    assert r"IB\_ERM" in collect(capsys, *flags, "--latex")[0]


def test_an_algorithm_without_a_pair_is_named_below_the_comparisons(sweep, capsys):
    write_run(sweep, "gga", [make_record(0, [(0.5, 0.5, True), (0.5, 0.5, False)], algorithm="GGA", trial_seed=7)])
    out, err = collect(capsys, "--input_dir", sweep, "--output", "-", "--selection", "iid", "--baseline", "IB_ERM")
    assert [line.split()[0] for line in out.splitlines()[-1:]] == ["ERM"]
    reason = "no dataset, test environment and trial in common with IB_ERM, so no comparison: GGA"
    assert f"training-domain validation set: {reason}" in err.splitlines()


def test_what_cannot_be_ranked_leaves_the_tables(sweep, tmp_path, capsys):
    """GGA has results in no environment of the others; the remedy that is named works."""
    write_run(sweep, "gga", [make_record(0, [(0.5, 0.5, True), (0.5, 0.5, False)], algorithm="GGA", dataset="PACS")])
    flags = ["--input_dir", str(sweep), "--ranks", str(tmp_path / "ranks.pdf")]
    assert main(flags) == 2
    out, err = capsys.readouterr()
    assert out == (sweep / "results.txt").read_text()
    assert out.count("--------") == 9
    assert err.splitlines()[-1].endswith("--algorithms names those to rank")
    assert main([*flags, "--algorithms", "ERM", "IB_ERM"]) == 0
    assert (tmp_path / "ranks.pdf").exists()


def test_what_cannot_be_compared(sweep, capsys):
    assert error(capsys, "--input_dir", sweep, "--baseline", "GGA").startswith("error: no records of GGA (")
    flags = ["--input_dir", sweep, "--baseline", "IB_ERM", "--selection", "loo"]
    assert error(capsys, *flags) == "error: no algorithm shares a dataset, test environment and trial with IB_ERM"
    with pytest.raises(SystemExit, match="2"):
        main(["--input_dir", str(sweep), "--power"])
    assert "name their --baseline" in capsys.readouterr().err


def test_published_rows_and_one_table_in_a_csv(tmp_path, capsys):
    """ERM on PACS, environments 0 to 3 at 80 %: 5.5 below the published 85.5."""
    for test_env in range(4):
        environments = [(0.8, 0.5, env == test_env) for env in range(4)]
        write_run(tmp_path, str(test_env), [make_record(0, environments, dataset="PACS")])
    flags = ["--input_dir", tmp_path, "--output", "-", "--published", "gga2025"]
    lines = collect(capsys, *flags)[0].splitlines()
    ours = next(index for index, line in enumerate(lines) if line.startswith("ERM, ours"))
    assert lines[ours - 1].split()[:4] == ["ERM", "85.5", "+/-", "0.2"]
    assert lines[ours + 1].split() == ["ours", "-", "published", "-5.5"]
    frame = pd.read_csv(io.StringIO(collect(capsys, *flags, "--format", "csv")[0]))
    assert len(frame) == 100
    assert frame["ours"].notna().sum() == 1
    write_run(tmp_path, "gga", [make_record(0, environments, dataset="PACS", algorithm="GGA")])
    assert error(capsys, *flags, "--baseline", "ERM", "--format", "csv") == (
        "error: a CSV file holds one table, not published and comparisons; --format json holds them all"
    )
