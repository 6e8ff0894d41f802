"""Frames: what they hold, that they lose nothing, and that selecting in them is selecting in lists of records."""

import json
import math

import pytest
from handmade import make_record, write_run, write_sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from domainbed import reports
from domainbed.errors import InputError
from domainbed.reports.aggregation import summarize
from domainbed.reports.frames import frame_of, records_of
from domainbed.reports.grouping import get_grouped_records
from domainbed.reports.query import Q
from domainbed.reports.records import load_records, load_runs
from domainbed.reports.selection import (
    METHODS,
    IIDAccuracySelectionMethod,
    IIDAutoLRAccuracySelectionMethod,
    SelectionMethod,
    select,
)

ENVIRONMENTS = [(0.1, 0.2, True), (0.3, 0.4, False)]
# Few values, so that there are ties; NaN among them.
ACCURACIES = st.sampled_from([0.25, 0.5, 0.75, math.nan])


def test_a_row_per_record_with_its_arguments_and_fields(tmp_path):
    first = [make_record(step, ENVIRONMENTS, algorithm="GGA") for step in (0, 300)]
    first[1]["gga_accepted"] = 2.5
    write_run(tmp_path / "sweep", "a", first)
    write_run(tmp_path / "sweep", "b", [make_record(0, ENVIRONMENTS[::-1], trial_seed=1)], done=False)
    write_run(tmp_path / "other", "c", [make_record(7, ENVIRONMENTS, hparams_seed=3, dataset="PACS")])
    frame = reports.load([tmp_path / "sweep", tmp_path / "other"])
    assert frame["run"].tolist() == [str(tmp_path / name) for name in ("sweep/a", "sweep/a", "sweep/b", "other/c")]
    assert frame["complete"].tolist() == [True, True, False, True]
    assert frame["algorithm"].tolist() == ["GGA", "GGA", "ERM", "ERM"]
    assert frame["dataset"].tolist() == ["Debug28"] * 3 + ["PACS"]
    assert frame["test_envs"].tolist() == [(0,), (0,), (1,), (0,)]
    assert frame["trial_seed"].tolist() == [0, 0, 1, 0]
    assert frame["hparams_seed"].tolist() == [0, 0, 0, 3]
    assert frame["step"].tolist() == [0, 300, 0, 7]
    assert frame["env1_out_acc"].tolist() == [0.4, 0.4, 0.2, 0.4]
    assert frame["gga_accepted"].isna().tolist() == [True, False, True, True]
    assert frame["hparams"].tolist() == [{"lr": 0.1}] * 4
    assert frame["args"].iloc[0] is frame["args"].iloc[1]


def test_no_records_are_an_empty_frame_with_the_columns(tmp_path):
    assert {"run", "complete", "algorithm", "test_envs", "step", "args", "fields"} <= set(
        reports.load(tmp_path).columns
    )
    assert reports.load(tmp_path).empty


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats() | st.integers(0, 9) | st.text() | st.none())))
def test_a_frame_loses_nothing(fields):
    records = [make_record(step, ENVIRONMENTS) | values for step, values in enumerate(fields)]
    assert [comparable(record) for record in records_of(frame_of(records))] == [comparable(r) for r in records]


def comparable(record):
    return json.dumps({name: float(v) if isinstance(v, int) else v for name, v in record.items()}, sort_keys=True)


@st.composite
def sweeps(draw):
    """Records of ERM on three environments: some of the runs with one or two test environments, at some steps."""
    records = []
    for test_envs in draw(st.sets(st.sampled_from([(0,), (1,), (0, 1), (0, 2), (1, 2)]), min_size=1)):
        for hparams_seed in draw(st.sets(st.sampled_from([0, 1]), min_size=1)):
            for step in draw(st.permutations([0, 1])):
                environments = [(draw(ACCURACIES), draw(ACCURACIES), env in test_envs) for env in range(3)]
                record = make_record(step, environments, hparams_seed)
                if draw(st.booleans()):
                    del record["env2_out_acc"]
                records.append(record)
    return records


@settings(max_examples=30, deadline=None)
@given(sweeps(), st.sampled_from(METHODS))
def test_selecting_in_a_frame_is_selecting_group_by_group(records, method):
    """A class that only has run_acc, as one written for DomainBed, gives the same accuracies, NaN included."""

    class WrittenForDomainBed(SelectionMethod):
        name = "plain"
        run_acc = method.run_acc

    at_once, by_group = (select(frame_of(records), kind) for kind in (method, WrittenForDomainBed))
    columns = ["dataset", "algorithm", "test_env", "trial_seed", "test_acc"]
    assert at_once[columns].astype(str).to_numpy().tolist() == by_group[columns].astype(str).to_numpy().tolist()
    for group in get_grouped_records(Q(records)):
        best = method.hparams_accs(group["records"])
        chosen = at_once[at_once["test_env"] == group["test_env"]]
        assert len(chosen) == bool(best)
        if best:
            assert best[0][1][0]["args"]["hparams_seed"] == chosen["hparams_seed"].iloc[0]


def test_the_record_that_counts_is_named(tmp_path):
    """In trial 0 held-out data prefer step 0, in trial 1 step 1."""
    write_sweep(tmp_path)
    chosen = select(reports.load(tmp_path), IIDAccuracySelectionMethod)
    chosen = chosen[chosen["algorithm"] == "ERM"].set_index(["test_env", "trial_seed"])
    assert chosen.loc[(0, 0), ["step", "val_acc", "test_acc"]].tolist() == [0, 0.9, 0.6]
    assert chosen.loc[(0, 1), ["step", "val_acc", "test_acc"]].tolist() == [1, 0.9, 0.8]


def test_tables_of_a_frame_and_of_its_records_agree(tmp_path):
    write_sweep(tmp_path)
    for method in [*METHODS, IIDAutoLRAccuracySelectionMethod]:
        assert str(summarize(reports.load(tmp_path), method)) == str(summarize(load_records(tmp_path), method))


def test_a_corrupt_inner_line_is_one_warning_and_an_error_if_strict(tmp_path):
    path = write_run(tmp_path, "a", [make_record(step, ENVIRONMENTS) for step in range(3)]) / "results.jsonl"
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([first, "{", "[" * 100_000, *others]))
    with pytest.warns(UserWarning, match=r"results\.jsonl: line 2 \(and 1 more\) is not a record") as warned:
        assert reports.load(tmp_path)["step"].tolist() == [0, 1, 2]
    assert len(warned) == 1
    with pytest.raises(InputError, match=r"results\.jsonl, line 2 is not a record"):
        reports.load(tmp_path, strict=True)


def test_records_of_another_version_are_skipped_with_a_warning_and_an_error_if_strict(tmp_path):
    foreign = make_record(0, ENVIRONMENTS)
    del foreign["args"]["trial_seed"]
    path = write_run(tmp_path, "a", [foreign, make_record(1, ENVIRONMENTS)]) / "results.jsonl"
    with pytest.warns(UserWarning, match="the args of 1 records lack trial_seed; of another version"):
        (run,) = load_runs(tmp_path)
    assert [record["step"] for record in run.records] == [1]
    with pytest.raises(InputError, match=f"{path}: the args of 1 records lack trial_seed"):
        load_runs(tmp_path, strict=True)
