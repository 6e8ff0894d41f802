"""The tutorial: its page shows the commands that it runs, and they lead from folders to a table with intervals."""

import importlib
import itertools
import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_documentation import commands_of

from domainbed.datasets import get_dataset_class
from domainbed.datasets.images import read_image
from domainbed.reports.records import write_records
from domainbed.running.hparams import default_hparams

ROOT = Path(__file__).parents[1]
DOMAINS, CLASSES = ("ink", "photo", "wool"), ["cat", "dog"]


@pytest.fixture(autouse=True)
def sweeps_found(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "sweeps")


@pytest.fixture
def tutorial():
    return importlib.import_module("tutorial")


@pytest.fixture
def paired():
    return importlib.import_module("paired")


@pytest.fixture
def domains():
    """Three domains of ten images of 32 x 32, two classes in turn."""
    random = np.random.default_rng(0)
    labels = np.arange(10) % 2
    return {name: (random.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8), labels) for name in DOMAINS}


def test_its_folders_are_a_dataset_of_the_same_images_and_labels(tutorial, domains, tmp_path):
    tutorial.write_folders(tmp_path / "drawings", domains, CLASSES)
    dataset = get_dataset_class("ImageFolder:drawings")(str(tmp_path), [], default_hparams("ERM", "Debug28"))
    for (images, labels), environment in zip(domains.values(), dataset, strict=True):
        found = [(read_image(path), label) for path, label in environment.samples]
        assert [label for _, label in found] == sorted(labels)
        written = sorted(image.tobytes() for image in images)
        assert sorted(np.asarray(image).tobytes() for image, _ in found) == written


def test_folders_half_written_are_no_dataset_and_are_written_anew(tutorial, domains, tmp_path):
    broken = domains | {"wool": (domains["wool"][0], np.full(10, 7))}  # there is no class 7
    with pytest.raises(IndexError):
        tutorial.write_folders(tmp_path / "drawings", broken, CLASSES)
    assert not (tmp_path / "drawings").exists()
    tutorial.write_folders(tmp_path / "drawings", domains, CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["drawings"]
    assert len(list(tmp_path.glob("drawings/*/*/*.png"))) == 30


def test_its_page_shows_the_commands_that_it_runs(tutorial):
    page = [shlex.split(command) for command in commands_of(ROOT / "docs/tutorial.md")]
    for command in tutorial.COMMANDS:
        assert shlex.split(command.replace("OUT", "tutorial_output").replace("CORES", "2")) in page


def test_its_commands_lead_from_folders_to_a_table(tutorial, domains, tmp_path, monkeypatch, capfd):
    """With images of one's own, one update at 32 x 32, and ERM and ascent alone, which searches at that update."""
    tutorial.write_folders(tmp_path / "data" / "drawings", domains, CLASSES)
    tiny = {"--n_trials 2": "--n_trials 1", "--steps 81": "--steps 2", "--checkpoint_freq 80": "--checkpoint_freq 1"}
    tiny |= {'"image_size": 64': '"image_size": 32', '"batch_size": 8': '"batch_size": 2', "OUT/walk ": ""}
    tiny |= {'"gga_start": 40': '"gga_start": 1'}
    commands = [command for command in tutorial.COMMANDS if "--output_dir OUT/walk" not in command]
    for full, short in tiny.items():
        assert any(full in command for command in commands), full
        commands = [command.replace(full, short) for command in commands]
    monkeypatch.setattr(tutorial, "COMMANDS", commands)
    monkeypatch.chdir(ROOT)
    assert tutorial.main(["--output_dir", str(tmp_path)]) == 0
    assert "Difference from erm" in capfd.readouterr().out
    runs = pd.read_csv(tmp_path / "runs.csv").set_index(["setting", "test_env"]).sort_index()
    assert runs.index.tolist() == [(name, env) for name in ("ascent", "erm") for env in range(3)]
    assert (runs.loc["ascent", "sim_end"] >= runs.loc["ascent", "sim_start"]).all()
    assert runs.loc["erm", "sim_end"].isna().all()


def save_run(sweep, test_env, trial, validation, test, steps=(0, 10)):
    """A finished run of three environments: accuracy by step, on the training environments' and the test images."""
    args = {"algorithm": "ERM", "dataset": "D", "test_envs": [test_env], "trial_seed": trial, "hparams_seed": 0}
    folder = sweep / f"{test_env}-{trial}"
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for step, val_acc, test_acc in zip(steps, validation, test, strict=True):
        accuracies = {f"env{env}_{split}_acc": val_acc for env in range(3) for split in ("in", "out")}
        of_test = {f"env{test_env}_in_acc": test_acc, f"env{test_env}_out_acc": 1.0}
        records.append({"args": args, "hparams": {}, "step": step, "step_time": 0.5} | accuracies | of_test)
    write_records(folder / "results.jsonl", records)
    (folder / "done").touch()


@pytest.fixture
def sweeps(tmp_path):
    """`better` is above `erm` by 2, 4 and 6 points on the test environment, and below it in validation."""
    for trial, gained in enumerate((0.02, 0.04, 0.06)):
        save_run(tmp_path / "erm", 1, trial, (0.2, 0.8), (0.9, 0.5))
        save_run(tmp_path / "better", 1, trial, (0.2, 0.7), (0.0, 0.5 + gained))
    return [tmp_path / "erm", tmp_path / "better"]


def runs_of(paired, sweeps):
    return pd.concat([paired.sweep_runs(sweep) for sweep in sweeps], ignore_index=True)


def test_a_run_counts_with_the_step_that_validation_chooses(paired, sweeps):
    first = paired.sweep_runs(sweeps[0]).iloc[0]
    assert (first["step"], first["validation"], first["test"]) == (10, pytest.approx(80), pytest.approx(50))
    assert first["seconds"] == pytest.approx(0.5 * 11)


def test_settings_are_ranked_by_validation_and_test_accuracy_is_not_shown(paired, sweeps, capsys):
    assert paired.main(["--validation", "--input_dirs", *map(str, reversed(sweeps))]) == 0
    printed = capsys.readouterr().out
    assert printed.index("erm") < printed.index("better")
    assert not {"50.0", "54.0", "52.0"} & set(printed.split())


def test_the_interval_is_that_of_student_s_t_over_pairs(paired, sweeps):
    """Differences 2, 4, 6: mean 4, standard deviation 2, n = 3; the 97.5 % quantile at two degrees is 4.3027."""
    (row,) = paired.differences(runs_of(paired, sweeps)).to_dict("records")
    half = 4.302653 * 2 / 3**0.5
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((4, 4 - half, 4 + half), abs=1e-5)
    assert (row["n"], row["better"]) == (3, 3)


def test_the_interval_over_environments_is_no_narrower_for_more_trials_of_each(paired, sweeps):
    """Differences of 4 in one environment and of -30 in another, three trials each: a bootstrap of two means."""
    for trial in range(3):
        save_run(sweeps[0], 2, trial, (0.2, 0.8), (0.9, 0.5))
        save_run(sweeps[1], 2, trial, (0.2, 0.7), (0.0, 0.2))
    (row,) = paired.differences(runs_of(paired, sweeps)).to_dict("records")
    assert (row["environments_low"], row["environments_high"]) == pytest.approx((-30, 4))
    assert row["n"] == 6


def test_pairs_share_test_environment_and_trial(paired, sweeps):
    """Another trial, of one sweep alone, and another environment count for nothing."""
    save_run(sweeps[0], 1, 3, (0, 0.1), (0, 0.1))
    save_run(sweeps[1], 2, 0, (0, 0.1), (0, 0.1))
    (row,) = paired.differences(runs_of(paired, sweeps)).to_dict("records")
    assert (row["mean"], row["n"]) == (pytest.approx(4), 3)


def test_averages_have_their_interval_over_trials(paired, sweeps):
    for trial in range(3):
        save_run(sweeps[1], 2, trial, (0, 0.7), (0, 0.8))
    cells = paired.accuracies(paired.sweep_runs(sweeps[1])).set_index("environment")
    assert cells["mean"].to_dict() == pytest.approx({"env1": 54, "env2": 80, "average": 67})
    assert (cells.loc["average", "high"] - cells.loc["average", "low"]) == pytest.approx(
        2 * 4.302653 / 3**0.5, abs=1e-5
    )


def test_a_sweep_that_holds_two_settings_is_refused(paired, sweeps, capsys):
    (sweeps[0] / "1-0").rename(sweeps[1] / "of-another-setting")
    assert paired.main(["--input_dirs", str(sweeps[1])]) == 2
    assert "give each setting a sweep" in capsys.readouterr().err


def test_runs_that_have_not_ended_are_left_out_and_counted(paired, sweeps, capsys):
    (sweeps[0] / "1-0" / "done").unlink()
    assert len(paired.sweep_runs(sweeps[0])) == 2
    assert "left out 1 of 3 runs" in capsys.readouterr().err


def accuracy_of(hparams):
    """Validation accuracy that is best at lr 3e-4 for ERM; in GGA at ρ 1e-4 for both, late for ascent."""
    late_is_better = hparams.get("gga_proposal") == "ascent"
    best = {"lr": 3e-4, "gga_rho": 1e-4, "gga_start": 40 if late_is_better else 10}
    return 0.9 - 0.1 * sum(hparams[name] != value for name, value in best.items() if name in hparams)


def pretended(paired):
    """In place of `tutorial.run`: runs of `accuracy_of`, of which no test accuracy is like the validation accuracy."""

    def run(command, output_dir):
        _, *words = shlex.split(command.replace("OUT", str(output_dir)))
        if words[0] == "sweeps/paired.py":
            assert paired.main(words[1:]) == 0
            return
        flags = dict(itertools.pairwise(words))
        accuracy = accuracy_of(json.loads(flags["--hparams"]))
        for env in range(3):
            for trial in range(int(flags["--n_trials"])):
                save_run(Path(flags["--output_dir"]), env, trial, (0, accuracy), (0, 1 - accuracy))

    return run


def test_the_study_chooses_by_validation_and_only_the_chosen_settings_get_all_trials(
    tutorial, paired, tmp_path, monkeypatch
):
    study = importlib.import_module("tutorial_study")
    monkeypatch.setattr(tutorial, "run", pretended(paired))
    study.study(tmp_path)
    runs, settings = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("runs", "settings"))
    assert list(runs["setting"].unique()) == ["erm_3e-4", "walk_10-15_1e-4", "ascent_40-45_1e-4"]
    assert (runs.groupby("setting")["trial"].nunique() == study.TRIALS).all()
    assert len(settings) == len(study.LEARNING_RATES) + 2 * (len(study.RHOS) + 1)
    assert set(settings["runs"]) == {3}


@pytest.fixture
def tables():
    names = "settings", "runs", "accuracies", "differences"
    return {name: pd.read_csv(ROOT / "results/tutorial" / f"{name}.csv") for name in names}


def test_the_published_tables_are_those_of_the_published_runs(paired, tables):
    runs = tables["runs"]
    assert (runs.groupby("setting")["trial"].nunique() == 5).all()
    assert (runs.groupby("setting").size() == 20).all()
    for name in ("accuracies", "differences"):
        expected = getattr(paired, name)(runs)
        pd.testing.assert_frame_equal(tables[name], expected, rtol=1e-4, atol=1e-4, check_dtype=False)


def test_the_published_settings_are_the_best_by_validation_and_those_of_the_tutorial(tutorial, tables):
    best = tables["settings"].sort_values("validation", ascending=False, kind="stable")
    best = best.groupby(best["setting"].str.split("_").str[0])["setting"].first().to_dict()
    assert set(best.values()) == set(tables["runs"]["setting"])
    lr = best["erm"].removeprefix("erm_")
    expected = {"erm": tutorial.erm_sweep("erm", lr, trials=2)}
    for proposal in tutorial.PROPOSALS:
        _, window, rho = best[proposal].split("_", 2)
        start, end = map(int, window.split("-"))
        expected[proposal] = tutorial.gga_sweep(proposal, lr, proposal, (start, end), rho, trials=2)
    assert tutorial.COMMANDS[:3] == list(expected.values())
