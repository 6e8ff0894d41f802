import json
import math

import pytest
from handmade import make_record, write_run, write_sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from domainbed.errors import InputError
from domainbed.reports.grouping import get_grouped_records, merge_records, recursive_freeze, remove_key
from domainbed.reports.query import Q
from domainbed.reports.records import (
    append_record,
    load_records,
    load_runs,
    read_records,
    training_seconds,
    write_records,
)

ENVIRONMENTS = [(0.1, 0.2, True), (0.3, 0.4, False)]
RECORDS = [make_record(step, ENVIRONMENTS) for step in (0, 100, 200)]


def test_what_is_appended_is_read_back_and_each_line_has_sorted_keys(tmp_path):
    path = tmp_path / "results.jsonl"
    for record in RECORDS:
        append_record(path, record)
    assert read_records(path) == RECORDS
    assert path.read_text() == "".join(json.dumps(record, sort_keys=True) + "\n" for record in RECORDS)


def test_a_record_that_is_not_plain_python_leaves_the_file_alone(tmp_path):
    path = tmp_path / "results.jsonl"
    append_record(path, RECORDS[0])
    with pytest.raises(TypeError):
        append_record(path, RECORDS[1] | {"loss": {1, 2}})
    assert read_records(path) == RECORDS[:1]


def test_nan_is_written_as_pythons_json_reads_it(tmp_path):
    path = tmp_path / "results.jsonl"
    append_record(path, RECORDS[0] | {"loss": math.nan, "penalty": math.inf})
    (record,) = map(json.loads, path.read_text().splitlines())
    assert math.isnan(record["loss"])
    assert record["penalty"] == math.inf
    assert math.isnan(read_records(path)[0]["loss"])


def test_write_records_replaces_the_file(tmp_path):
    path = tmp_path / "results.jsonl"
    write_records(path, RECORDS)
    write_records(path, RECORDS[:2])
    assert read_records(path) == RECORDS[:2]
    assert list(tmp_path.iterdir()) == [path]


@settings(deadline=None)
@given(st.integers(1, 2000))
def test_wherever_the_last_line_is_cut_the_records_before_it_are_read(tmp_path_factory, cut):
    """Only what a complete line holds counts; a line that lacks nothing but its newline is complete."""
    path = tmp_path_factory.mktemp("torn") / "results.jsonl"
    lines = [json.dumps(record).encode() + b"\n" for record in RECORDS]
    last = lines[2][: cut % len(lines[2])]
    path.write_bytes(lines[0] + lines[1] + last)
    if last in (b"", lines[2][:-1]):
        assert read_records(path) == RECORDS[: 2 + bool(last)]
    else:
        with pytest.warns(UserWarning, match="results.jsonl: the last line is cut short"):
            assert read_records(path) == RECORDS[:2]


@pytest.mark.parametrize("line", ['{"step": 1,', "[1]", '{"args": {}}', '{"step": 1, "args": null}', "\0\0"])
def test_a_corrupt_inner_line_is_named(tmp_path, line):
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join([json.dumps(RECORDS[0]), line, json.dumps(RECORDS[1])]))
    with pytest.raises(InputError, match=r"results\.jsonl, line 2 "):
        read_records(path)


def test_of_two_records_of_a_step_the_last_counts(tmp_path):
    path = tmp_path / "results.jsonl"
    again = [record | {"loss": 1.0} for record in RECORDS[1:]]
    write_records(path, RECORDS + again)
    assert read_records(path) == [RECORDS[0], *again]


def test_the_two_stages_of_train_autolr_are_not_duplicates(tmp_path):
    path = tmp_path / "results.jsonl"
    second = RECORDS[0] | {"args": RECORDS[0]["args"] | {"holdout_fraction": 0.0}}
    write_records(path, [RECORDS[0], second])
    assert read_records(path) == [RECORDS[0], second]


def test_runs_are_sorted_and_those_without_results_named(tmp_path):
    write_run(tmp_path, "b", RECORDS[:1])
    write_run(tmp_path, "a", RECORDS[1:2], done=False)
    write_run(tmp_path, "died", [])
    (tmp_path / "queued").mkdir()
    (tmp_path / ".e.deleted").mkdir()  # what a killed delete_incomplete leaves
    (tmp_path / "results.txt").write_text("tables of an earlier call")
    with pytest.warns(UserWarning, match=r"no records in died \(empty\), queued \(No such file"):
        runs = load_runs(tmp_path)
    assert [(run.path.name, len(run.records), run.complete) for run in runs] == [
        ("a", 1, False),
        ("b", 1, True),
        ("died", 0, True),
        ("queued", 0, False),
    ]
    with pytest.warns(UserWarning, match="queued"):
        assert load_records(tmp_path) == [RECORDS[1], RECORDS[0]]


def test_a_missing_sweep_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a directory"):
        load_records(tmp_path / "nowhere")


def test_a_record_belongs_to_the_group_of_each_of_its_test_environments(tmp_path):
    write_sweep(tmp_path)
    groups = get_grouped_records(load_records(tmp_path))
    keys = [(group["trial_seed"], group["dataset"], group["algorithm"], group["test_env"]) for group in groups]
    assert keys == sorted((t, "Debug28", a, e) for t in (0, 1) for a in ("ERM", "IB_ERM") for e in range(3))
    erm = groups[0]["records"]
    assert sorted(record["args"]["test_envs"] for record in erm) == sorted(2 * [[0], [0, 1], [0, 2]])


def test_merging_folds_records_that_differ_in_holdout_fraction_alone():
    first = {"args": {"output_dir": "a", "holdout_fraction": 0.2, "test_envs": [0]}, "x": 1, "y": 1}
    second = {"args": {"output_dir": "a", "holdout_fraction": 0.0, "test_envs": [0]}, "y": 2}
    other = {"args": {"output_dir": "b", "holdout_fraction": 0.2, "test_envs": [0]}, "x": 3}
    assert merge_records(Q([first, second, other])) == [{"args": second["args"], "x": 1, "y": 2}, other]
    assert first["y"] == 1


def test_freezing_makes_equal_structures_equal_keys():
    assert recursive_freeze({"a": [1, {"b": 2}]}) == recursive_freeze({"a": (1, {"b": 2})})
    assert len({recursive_freeze({"a": 1, "b": [2]}), recursive_freeze({"b": [2], "a": 1})}) == 1
    mapping = {"a": 1, "b": 2}
    assert remove_key(mapping, "a") == {"b": 2}
    assert mapping == {"a": 1, "b": 2}


def test_training_seconds_count_every_update_once():
    """Steps 0, 10 and 15 recorded: 1 update of 4 s, 10 of 2 s, 5 of 1 s."""
    records = [{"step": step, "step_time": time} for step, time in ((10, 2.0), (0, 4.0), (15, 1.0))]
    assert training_seconds(records) == 4 + 20 + 5
