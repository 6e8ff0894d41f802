"""One run: its files, its resume, and what it refuses."""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_runs import command, images, read, run, untimed
from torchvision import models

from domainbed import algorithms
from domainbed.algorithms import get_algorithm_class
from domainbed.errors import OUT_OF_MEMORY, InputError
from domainbed.files import make_directory
from domainbed.running import checkpoints
from domainbed.scripts import train


def _cell(value: float | int) -> str:
    return f"{value:.10f}" if isinstance(value, float) else str(value)


def test_a_run_without_gpu_memory_says_so_and_has_an_exit_code_of_its_own(tmp_path, capsys, monkeypatch):
    class Hungry(get_algorithm_class("ERM")):
        def update(self, minibatches, unlabeled=None):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 80 GiB.")

    monkeypatch.setattr(algorithms, "Hungry", Hungry, raising=False)
    assert train.main(command(tmp_path / "run", "--algorithm", "Hungry")) == OUT_OF_MEMORY
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.startswith("error: the GPU is out of memory; try a smaller batch_size")
    assert (tmp_path / "run" / "err.txt").read_text() == (tmp_path / "run" / "failed").read_text() + "\n" == errors


def test_a_run_leaves_domainbeds_files(tmp_path, capsys):
    assert train.main(command(tmp_path / "run", "--test_env", "2")) == 0
    out = tmp_path / "run"
    assert {path.name for path in out.iterdir()} == {"results.jsonl", "out.txt", "err.txt", "model.pkl", "done"}
    assert (out / "done").read_bytes() == b"done"
    records = read(out)
    assert [record["step"] for record in records] == [0, 2, 4]
    accuracies = {f"env{i}_{split}_acc" for i in range(3) for split in ("in", "out")}
    assert records[0].keys() == accuracies | {"step", "epoch", "step_time", "loss", "mem_gb", "hparams", "args"}
    assert records[0]["args"]["test_envs"] == [2]
    assert len(records[0]["args"]) == 16
    # 16 items, int(16 * 0.2) = 3 held out: 13 / 4 batches make an epoch
    assert records[2]["epoch"] == 4 / (13 / 4)
    printed = (out / "out.txt").read_text()
    assert printed == capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0] == "Environment:"
    assert lines[lines.index("Args:") + 1 : lines.index("HParams:")] == [
        f"\t{name}: {value}" for name, value in sorted(records[0]["args"].items())
    ]
    assert lines[lines.index("Model:") + 1 : -4][:3] == [
        "\tbackbone: StridedCNN",
        "\tweights: random",
        "\tBatchNorm: none",
    ]
    names = sorted(records[0].keys() - {"args", "hparams"})
    assert lines[-4:] == [
        "  ".join(f"{cell:12.12}" for cell in row) + " "
        for row in [names, *([_cell(record[name]) for name in names] for record in records)]
    ]


def test_the_model_is_loaded_without_executing_code_and_continues_where_training_ended(tmp_path):
    first = run(tmp_path)
    list(first.records())
    saved = checkpoints.load(tmp_path / "model.pkl")
    assert saved.keys() == {
        "args", "model_input_shape", "model_num_classes", "model_num_domains", "model_hparams", "model_dict",
    }  # fmt: skip
    assert saved["model_num_domains"] == 2
    fresh = get_algorithm_class("ERM")((3, 28, 28), 2, 2, saved["model_hparams"])
    fresh.load_state_dict(saved["model_dict"])
    x = torch.randn(4, 3, 28, 28)
    assert torch.equal(fresh.predict(x), first.algorithm.predict(x))
    assert {"featurizer.conv1.weight", "network.0.conv1.weight", "classifier.weight"} <= saved["model_dict"].keys()


@pytest.mark.parametrize("algorithm", ["ERM", "GGA", "GGA_L", "MLDG", "MTL"])
def test_an_interrupted_run_continues_as_if_nothing_had_happened(algorithm, tmp_path):
    whole, broken = run(tmp_path / "whole", algorithm=algorithm), run(tmp_path / "broken", algorithm=algorithm)
    expected = list(whole.records())
    stream = broken.records()
    next(stream), next(stream)
    del stream, broken
    with open(tmp_path / "broken" / "results.jsonl", "a") as file:
        file.write('{"step": 4, "los')  # what a killed process leaves
    again = run(tmp_path / "broken", algorithm=algorithm)
    with pytest.warns(UserWarning, match="last line is cut short"):
        rest = list(again.records())
    assert untimed(rest) == untimed(expected[2:])
    assert untimed(read(tmp_path / "broken")) == untimed(expected)
    for name, value in whole.algorithm.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, again.algorithm.state_dict()[name]), name
    assert (tmp_path / "broken" / "done").exists()
    assert not (tmp_path / "broken" / "checkpoint.pt").exists()


def test_how_often_a_run_is_evaluated_does_not_change_it(tmp_path):
    often, rarely = run(tmp_path / "often", checkpoint_freq=1), run(tmp_path / "rarely", checkpoint_freq=5)
    last = [untimed(list(one.records()))[-1] for one in (often, rarely)]
    assert {k: v for k, v in last[0].items() if "acc" in k} == {k: v for k, v in last[1].items() if "acc" in k}


def draws_of_updates(output_dir: Path, **changes) -> list[float]:
    """What each update of a run draws first."""
    one, draws = run(output_dir, **changes), []
    update = one.algorithm.update
    one.algorithm.update = lambda *batches: draws.append(torch.rand(()).item()) or update(*batches)
    list(one.records())
    return draws


def test_each_update_draws_anew_by_its_step_and_the_seed(tmp_path):
    draws = draws_of_updates(tmp_path / "a")
    assert len(set(draws)) == len(draws) == 6
    assert draws_of_updates(tmp_path / "b", checkpoint_freq=3) == draws
    assert set(draws_of_updates(tmp_path / "c", seed=1)).isdisjoint(draws)


def test_an_epoch_is_a_pass_over_the_smallest_environment(tmp_path):
    """Three samples, in batches of four: an epoch is 0.75 updates long."""
    one = run(tmp_path)
    one.environments[1].training.keys = one.environments[1].training.keys[:3]
    assert [record["epoch"] for record in one.records()][1] == 2 / 0.75


def test_seeds_decide_the_run(tmp_path):
    runs = [run(tmp_path / str(i), seed=seed) for i, seed in enumerate((0, 0, 1))]
    losses = [[record["loss"] for record in one.records()] for one in runs]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_unlabeled_samples_reach_the_algorithm_and_are_evaluated_by_their_count(tmp_path):
    one = run(tmp_path, task="domain_adaptation", uda_holdout_fraction=0.5, test_envs=[2])
    seen = []
    original = one.algorithm.update
    one.algorithm.update = lambda minibatches, unlabeled: seen.append(unlabeled) or original(minibatches, unlabeled)
    record = next(one.records())
    assert seen[0][0].shape == (4, 3, 28, 28)
    assert "env0_uda_acc" in record
    assert "env2_uda_acc" not in record


def test_a_diverging_run_names_the_step_keeps_its_records_and_is_not_done(tmp_path, capsys):
    out = tmp_path / "run"
    hparams = json.dumps({"lr": 1e30, "batch_size": 4})
    assert train.main([*command(out)[:-1], hparams, "--steps", "50"]) == 1
    message = (out / "err.txt").read_text().splitlines()[-1]
    assert message == capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: step ")
    assert "loss is" in message
    assert read(out)[0]["step"] == 0
    assert all(math.isfinite(record["loss"]) for record in read(out))
    assert not (out / "done").exists()


def test_a_finished_run_is_left_alone(tmp_path, capsys):
    assert train.main(command(tmp_path / "run")) == 0
    before = (tmp_path / "run" / "results.jsonl").read_bytes()
    capsys.readouterr()
    assert train.main(command(tmp_path / "run")) == 0
    assert "is done already" in capsys.readouterr().out
    assert (tmp_path / "run" / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--algorithm", "EMR"], "Algorithm not found: EMR (nearest: ERM"),
        (["--algorithm", "CORRAL_GGA"], "Algorithm not found: CORRAL (nearest: CORAL"),
        (["--dataset", "PAC"], "Dataset not found: PAC (nearest: PACS"),
        (["--dataset", "os"], "Dataset not found: os"),
        (["--hparams", '{"lr": }'], "--hparams is not valid JSON"),
        (["--hparams", "[1]"], "--hparams must be a JSON object"),
        (["--hparams", '{"lrr": 1}'], "unknown hparam 'lrr' (nearest: lr"),
        (["--hparams", '{"lr": "high"}'], "hparam 'lr' must be of type float"),
        (["--test_envs", "3"], "--test_envs 3 is out of range; the environments are 0 0, 1 1, 2 2"),
        (["--test_envs", "0", "1", "2"], "--test_envs covers all environments"),
        (["--test_envs", "1", "1"], "names an environment twice"),
        (["--holdout_fraction", "0"], "--holdout_fraction must lie between 0 and 1, not 0.0"),
        (["--holdout_fraction", "1"], "--holdout_fraction must lie between 0 and 1, not 1.0"),
        (["--task", "domain_adaptation"], "Not enough unlabeled samples"),
        (["--dataset", "PACS", "--data_dir", "nowhere"], "nowhere/PACS"),
        (["--steps", "-1"], "--steps must be at least 1, not -1; leave it out for the dataset's own number"),
        (["--steps", "0"], "--steps must be at least 1, not 0"),
        (["--checkpoint_freq", "0"], "--checkpoint_freq must be at least 1, not 0"),
        (["--checkpoint_freq", "-2"], "--checkpoint_freq must be at least 1, not -2"),
        (["--num_workers", "-1"], "--num_workers must be 0 (load in the run's own process) or more, not -1"),
        (["--device", "cuda:77"], "--device cuda:77 cannot be used here"),
        (["--device", "meta"], "--device meta cannot be used here"),
        (["--seed", "-1"], "--seed must be at least 0 and below 2**32, not -1"),
        (["--seed", "4294967296"], "--seed must be at least 0 and below 2**32, not 4294967296"),
        (["--trial_seed", "-1"], "--trial_seed must be at least 0, not -1"),
        (["--hparams_seed", "-2"], "--hparams_seed must be at least 0, not -2"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(flags, complaint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main([*command(tmp_path / "run"), *flags]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_dir_that_cannot_be_one_is_named_before_any_work(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("notes")
    for output_dir in (path, path / "run"):
        assert train.main(command(output_dir)) == 2
        assert capsys.readouterr().err == f"error: {path} is not a directory; choose another --output_dir\n"
        with pytest.raises(InputError, match=r"cannot be made \(.*\); choose another --output_dir"):
            make_directory(output_dir)
    assert path.read_text() == "notes"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_dir_that_cannot_be_written_to_is_named_before_any_work(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert train.main(command(tmp_path / "run")) == 2
    assert capsys.readouterr().err == f"error: {tmp_path} cannot be written to; choose another --output_dir\n"


PETS = ["--dataset", "ImageFolder:pets", "--hparams", '{"image_size": 64, "pretrained": false, "batch_size": 2}']


def test_any_folder_of_images_is_a_dataset(tmp_path):
    data = images(tmp_path / "data")
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path / "run"), "--steps", "2", "--num_workers", "1"]
    assert train.main([*PETS, *flags, "--hparams", PETS[3].replace("}", ', "resnet18": true}')]) == 0
    assert {"env0_in_acc", "env2_out_acc"} <= read(tmp_path / "run")[-1].keys()


def test_a_run_says_which_weights_it_started_from(tmp_path):
    data, weights = images(tmp_path / "data"), tmp_path / "weights.pth"
    torch.save(models.resnet18().state_dict(), weights)
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path / "run"), "--steps", "1", "--num_workers", "0"]
    hparams = {"backbone": "torchvision/resnet18", "weights": str(weights), "freeze_bn": True}
    given = json.dumps({"image_size": 64, "batch_size": 2} | hparams)
    assert train.main([*PETS[:2], *flags, "--hparams", given]) == 0
    [record], digest = read(tmp_path / "run"), hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record["hparams"]["weights_sha256"] == digest
    assert record["hparams"]["backbone"] == "torchvision/resnet18.IMAGENET1K_V1"
    lines = (tmp_path / "run" / "out.txt").read_text().splitlines()
    header = lines[lines.index("Model:") + 1 :][:5]
    assert header == [
        "\tbackbone: torchvision/resnet18.IMAGENET1K_V1",
        f"\tweights: {weights}, SHA-256 {digest}",
        "\tBatchNorm: frozen statistics",
        "\tparameters: 11176512, of which trained 11176512",
        "\taugmentation: on",
    ]


def test_too_many_workers_are_mentioned_once(tmp_path, capsys):
    """The workers start once, and serve every split."""
    data, workers = images(tmp_path / "data"), train.usable_cpus() + 1
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path / "run"), "--steps", "1"]
    hparams = ["--hparams", PETS[3].replace("}", ', "resnet18": true}')]
    assert train.main([*PETS, *flags, *hparams, "--num_workers", str(workers)]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert [f"{workers} processes load images" in line for line in warned] == [True]


def test_which_transforms_ran_and_where_the_cache_is_are_recorded(tmp_path):
    """Exact images have no cache, and their run cannot be continued without the flag; a cache may come and go."""
    data, network = images(tmp_path / "data"), ["--hparams", PETS[3].replace("}", ', "resnet18": true}')]
    common = [*PETS, *network, "--data_dir", str(data), "--steps", "1", "--num_workers", "0", "--skip_model_save"]
    outcomes = {}
    for name, flags in {
        "exact": ["--exact_images"],
        "filled": ["--cache_dir", str(tmp_path / "cache")],
        "read": ["--cache_dir", str(tmp_path / "cache")],
        "none": ["--cache_dir", "none"],
    }.items():
        assert train.main([*common, *flags, "--output_dir", str(tmp_path / name)]) == 0
        (record,) = [json.loads(line) for line in (tmp_path / name / "results.jsonl").read_text().splitlines()]
        header = (tmp_path / name / "out.txt").read_text()
        transforms = "exact, on PIL images" if name == "exact" else "fast, by OpenCV"
        assert f"transforms: {transforms}" in header
        assert (f"cache: {tmp_path / 'cache'}, about 0.0 GB to be written" in header) == (name in ("filled", "read"))
        assert record["args"].get("exact_images") == (True if name == "exact" else None)
        outcomes[name] = record["loss"]
    assert outcomes["filled"] == outcomes["read"] == outcomes["none"]
    assert train.main([*common, "--output_dir", str(tmp_path / "exact")]) == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to CPUs")
def test_no_more_workers_than_cpus_that_the_process_may_use():
    script = """if True:
        import os
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        from domainbed.scripts.train import build_parser
        print(build_parser().parse_args([]).num_workers)
    """
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout == "1\n"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda pets: shutil.rmtree(pets), "<domain>/<class>/<image>"),
        (lambda pets: shutil.rmtree(pets / "b" / "dog"), "class folder 'dog' is missing from the domain 'b'"),
        (lambda pets: (pets / "c" / "cat" / "3.png").write_bytes(b"no image"), "c/cat/3.png cannot be read"),
        (lambda pets: cut(pets / "c" / "cat" / "3.png"), "c/cat/3.png cannot be read"),
    ],
)
def test_damaged_data_is_named_before_any_work(damage, complaint, tmp_path, capsys):
    data = images(tmp_path / "data")
    damage(data / "pets")
    assert train.main([*PETS, "--data_dir", str(data), "--output_dir", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def test_an_output_dir_with_another_runs_results_is_refused_and_kept(tmp_path, capsys):
    assert train.main(command(tmp_path / "run", "--seed", "1")) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert train.main(command(tmp_path / "run", "--seed", "2")) == 2
    assert "holds another run's results (seed 1)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_combining_on_the_command_line_is_naming_the_combination(tmp_path):
    assert train.main(command(tmp_path / "run", "--algorithm", "CORAL", "--combine", "GGA")) == 0
    assert read(tmp_path / "run")[0]["args"]["algorithm"] == "CORAL_GGA"


def test_the_list_names_algorithms_and_datasets(capsys):
    assert train.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f" {name}" in printed for name in ("ERM", "GGA", "GGA_L", "Digits", "PACS"))
