"""ERM++ in two stages: what each leaves, and what an interruption changes (nothing)."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from domainbed.errors import InputError
from domainbed.reports.grouping import merge_records
from domainbed.reports.query import Q
from domainbed.reports.records import Result, read_records
from domainbed.reports.selection import IIDAutoLRAccuracySelectionMethod
from domainbed.running.arguments import Arguments
from domainbed.running.auto_lr import AutoLR
from domainbed.running.loading import Split, WithoutReplacement
from domainbed.scripts import train_autolr

HPARAMS = {"featurizer": "StridedCNN", "batch_size": 4, "linear_steps": 3, "lr": 0.03}
"""Labels of Debug28 are random: validation does not improve, and the search ends early."""
STEPS, FREQUENCY = 60, 2


def two_stages(output_dir, **changes):
    output_dir.mkdir(exist_ok=True)
    options = {
        "algorithm": "ERMPlusPlus",
        "dataset": "Debug28",
        "steps": STEPS,
        "checkpoint_freq": FREQUENCY,
        "hparams": json.dumps(HPARAMS),
    }
    arguments = Arguments(output_dir=str(output_dir), **options | changes)
    return AutoLR(arguments, arguments.all_hparams(), torch.device("cpu"))


def of_stage(records, stage):
    return [record for record in records if record["stage"] == stage]


def untimed(records):
    return [{name: value for name, value in record.items() if name not in ("step_time", "args")} for record in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory of an uninterrupted run."""
    output_dir = tmp_path_factory.mktemp("whole")
    yielded = list(two_stages(output_dir).records())
    assert yielded == read_records(output_dir / "results.jsonl")
    assert all(isinstance(record, Result) == (record["stage"] == 2) for record in yielded)
    return output_dir


def test_stage_1_ends_when_the_learning_rate_was_lowered_three_times(whole):
    records = of_stage(read_records(whole / "results.jsonl"), 1)
    steps = [record["step"] for record in records]
    assert steps == list(range(0, steps[-1] + 1, FREQUENCY))
    assert steps[-1] < STEPS - 1
    rates = [rate for rate, _ in itertools.groupby(record["lr"] for record in records)]
    assert rates == pytest.approx([0.03, 0.003, 0.0003])


def test_stage_2_repeats_the_schedule_on_all_data(whole):
    """16 samples an environment: the in splits have 13 of them, full data has all."""
    records = read_records(whole / "results.jsonl")
    first, second = of_stage(records, 1), of_stage(records, 2)
    assert [(r["step"], r["lr"]) for r in second] == [(r["step"], r["lr"]) for r in first]
    for i in range(3):
        for record in first:
            assert record[f"env{i}_in_acc"] * 13 == pytest.approx(round(record[f"env{i}_in_acc"] * 13))
        for record in second:
            assert record[f"fd_env{i}_in_acc"] * 16 == pytest.approx(round(record[f"fd_env{i}_in_acc"] * 16))
    assert not [name for record in second for name in record if name.startswith("env")]
    assert {record["args"]["holdout_fraction"] for record in records} == {0.2}


def test_it_leaves_the_files_of_a_run(whole):
    assert {path.name for path in whole.iterdir()} == {"stage1", "stage2", "results.jsonl", "model.pkl", "done"}
    assert (whole / "done").read_bytes() == b"done"
    state = torch.load(whole / "model.pkl", weights_only=True)
    assert state["args"]["output_dir"] == str(whole)


def test_it_is_selected_by_its_own_method(whole):
    """Validation by the last record of stage 1, test by the last of stage 2, whatever their order in the file."""
    records = read_records(whole / "results.jsonl")
    first, second = of_stage(records, 1)[-1], of_stage(records, 2)[-1]
    expected = {"val_acc": (first["env1_out_acc"] + first["env2_out_acc"]) / 2, "test_acc": second["fd_env0_in_acc"]}
    for order in (records, [*of_stage(records, 2), *of_stage(records, 1)]):
        merged = merge_records(Q(order))
        assert len(merged) == 1
        assert IIDAutoLRAccuracySelectionMethod.run_acc(merged) == pytest.approx(expected)


def test_broken_off_after_any_record_it_ends_the_same(whole, tmp_path):
    """Broken off after every third record, in both stages."""
    for _ in range(100):
        if not list(itertools.islice(two_stages(tmp_path / "run").records(), 3)):
            break
    assert (tmp_path / "run" / "done").exists()
    assert untimed(read_records(tmp_path / "run" / "results.jsonl")) == untimed(read_records(whole / "results.jsonl"))


def test_done_it_is_left_alone(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert list(two_stages(whole).records()) == []
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_unlabeled_samples_keep_their_own_name(tmp_path):
    records = list(two_stages(tmp_path, steps=5, task="domain_adaptation", uda_holdout_fraction=0.5).records())
    assert "env0_uda_acc" in records[0]
    assert "fd_env0_uda_acc" in records[-1]
    assert "fd_env3_in_acc" not in records[-1]


def test_without_a_schedule_yet_the_second_stage_keeps_the_learning_rate(tmp_path):
    """Three steps: the classifier learns alone."""
    records = list(two_stages(tmp_path, steps=3).records())
    assert [(record["stage"], record["step"], record["lr"]) for record in records] == [
        (1, 0, 0.03), (1, 2, 0.03), (2, 0, 0.03), (2, 2, 0.03),
    ]  # fmt: skip


def command(output_dir, *more):
    flags = {"dataset": "Debug28", "steps": STEPS, "checkpoint_freq": FREQUENCY, "output_dir": output_dir}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return [*words, "--hparams", json.dumps(HPARAMS), *more]


def test_killed_in_the_second_stage_the_script_ends_the_same(whole, tmp_path):
    output_dir = tmp_path / "run"
    words = [sys.executable, "-m", "domainbed.scripts.train_autolr", *command(output_dir, "--device", "cpu")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        while not (output_dir / "stage2" / "checkpoint.pt").exists():
            assert process.poll() is None
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (output_dir / "done").exists()
    assert train_autolr.main(command(output_dir, "--device", "cpu", "--auto_lr")) == 0
    assert untimed(read_records(output_dir / "results.jsonl")) == untimed(read_records(whole / "results.jsonl"))


def test_other_algorithms_are_refused(tmp_path, capsys):
    assert train_autolr.main([*command(tmp_path / "run"), "--algorithm", "ERM"]) == 2
    assert "ERM has no set_lr to find a learning rate with" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def loader(n, batch_size):
    return WithoutReplacement({"env0": Split(TensorDataset(torch.arange(n), torch.arange(n)), range(n))}, batch_size, 7)


def test_each_pass_is_a_permutation_without_its_rest():
    """11 samples in batches of 3: three batches a pass, two samples left out."""
    batches = [x.tolist() for ((x, _),) in loader(11, 3).batches(0, 60)]
    passes = [[index for batch in batches[i : i + 3] for index in batch] for i in range(0, 60, 3)]
    assert all(len(set(found)) == 9 for found in passes)
    assert set().union(*passes) == set(range(11))
    assert len({tuple(found) for found in passes}) == len(passes)


def test_a_batch_depends_on_its_step_alone():
    late = [x.tolist() for ((x, _),) in loader(11, 3).batches(7, 10)]
    np.testing.assert_array_equal(late, [x.tolist() for ((x, _),) in loader(11, 3).batches(0, 10)][7:])


def test_fewer_samples_than_a_batch_are_refused():
    with pytest.raises(InputError, match="env0: 2 samples fill no batch of 3"):
        loader(2, 3)
