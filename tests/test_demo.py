"""The demo's commands are the scripts' own; its tables are the means that its records hold."""

import importlib
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

from domainbed.reports.query import Q
from domainbed.scripts import sweep, sweep_file, train

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("sweeps_found")


@pytest.fixture
def sweeps_found(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "sweeps")


def record(algorithm, trial, step, accuracy, step_time, **of_search):
    hparams = {"gga_proposal": "walk"} if of_search else {}
    args = {"algorithm": algorithm, "dataset": "Digits", "test_envs": [0], "trial_seed": trial, "hparams_seed": 0}
    accuracies = {f"env{env}_{split}_acc": accuracy for env in range(4) for split in ("in", "out")}
    return {"step": step, "step_time": step_time, "args": args, "hparams": hparams, **accuracies, **of_search}


def search(before, after):
    return {"gga_sim_start": before, "gga_sim_end": after, "gga_accepted": 2.0, "gga_gradients": 20.0}


@pytest.fixture
def records():
    return [
        record("ERM", 0, 0, 0.1, 9.0),  # its time has the loaders' start in it
        record("ERM", 0, 15, 0.6, 0.010),
        record("ERM", 1, 15, 0.8, 0.010),
        record("GGA", 0, 15, 0.5, 0.050, **search(-0.30, -0.20)),
        record("GGA", 1, 15, 0.9, 0.050, **search(-0.10, 0.02)),
        record("GGA", 1, 30, 0.7, 0.010) | {"hparams": {"gga_proposal": "walk"}},
    ]


def test_the_sweeps_commands_are_understood(monkeypatch):
    monkeypatch.chdir(ROOT)
    quickstart = importlib.import_module("quickstart")
    swept, *trained, last = (shlex.split(command.replace("CORES", "2")) for command in quickstart.COMMANDS)
    parts = sweep_file.requests(sweep._parser(), swept[3:], "sweeps/quickstart.txt")
    runs = [train.build_parser().parse_args(words[3:]) for words in trained]
    assert last[1] == "sweeps/compare.py"
    options = importlib.import_module("compare").build_parser().parse_args(last[2:])
    assert [*map(str, options.input_dirs)] == [part.output_dir for part in parts]
    assert [str(options.every_step / name) for name in ("walk", "ascent")] == [run.output_dir for run in runs]
    assert [json.loads(part.hparams) for part in parts] == [json.loads(run.hparams) for run in runs]


def test_accuracy_is_the_mean_over_trials_by_training_domain_validation(records):
    compare = importlib.import_module("compare")
    cells = compare.accuracies(compare.labelled(Q(records))).set_index(["method", "environment"])
    assert cells.loc[("ERM", "mnist"), ["mean", "n_trials"]].tolist() == pytest.approx([70, 2])
    assert cells.loc[("GGA (walk)", "mnist"), ["mean", "standard_error"]].tolist() == pytest.approx([70, 20 / 2**0.5])


def test_similarities_are_those_of_each_step_that_searched(records):
    compare = importlib.import_module("compare")
    searched = compare.searches(compare.labelled(Q([*records[3:4], records[5]])))
    (row,) = searched.to_dict("records")
    assert (row["method"], row["step"]) == ("GGA (walk)", 15)
    assert (row["gga_sim_start"], row["gga_sim_end"], row["gained"]) == pytest.approx((-0.3, -0.2, 0.1))


def test_cost_is_that_of_the_steps_that_search_beside_erm(records):
    compare = importlib.import_module("compare")
    costs = compare.costs(compare.labelled(Q(records))).set_index("method")
    assert costs.loc["GGA (walk)"].tolist() == pytest.approx([0.05, 20, 5])
    assert costs.loc["ERM"].tolist() == pytest.approx([0.01, 0, 1])


def test_the_demo_runs_and_names_what_it_left(tmp_path, monkeypatch, capfd):
    """GGA alone, one trial, four steps: its searches are those of steps 1 to 3."""
    quickstart = importlib.import_module("quickstart")
    shorter = {
        "ERM GGA GGA_L": "GGA",
        "--n_trials 3": "--n_trials 1",
        "--steps 151": "--steps 4",
        "--steps 46": "--steps 4",
    }
    shorter |= {"--checkpoint_freq 50": "--checkpoint_freq 1", '"gga_start": 16': '"gga_start": 1'}
    texts = [(ROOT / "sweeps/quickstart.txt").read_text(), *quickstart.COMMANDS]
    for full, tiny in shorter.items():
        assert any(full in text for text in texts), full
        texts = [text.replace(full, tiny) for text in texts]
    parts, *commands = texts
    (tmp_path / "parts.txt").write_text(parts)
    commands = [command.replace("sweeps/quickstart.txt", str(tmp_path / "parts.txt")) for command in commands]
    monkeypatch.setattr(quickstart, "COMMANDS", commands)
    monkeypatch.chdir(ROOT)
    assert quickstart.main(["--output_dir", str(tmp_path)]) == 0
    printed = capfd.readouterr().out
    for name in ("demo.png", "accuracy.csv", "searches.csv", "costs.csv"):
        assert name in printed
        assert (tmp_path / name).stat().st_size > 0
    steps = pd.read_csv(tmp_path / "searches.csv").groupby("method")["step"].apply(list).to_dict()
    assert steps == {"GGA (walk)": [1, 2, 3], "GGA (ascent)": [1, 2, 3]}


def test_runs_of_an_earlier_demo_are_not_mixed_in(tmp_path, records, capsys):
    """Two directories for one run, as after an update with other flags."""
    compare = importlib.import_module("compare")
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.jsonl").write_text(json.dumps(records[1]) + "\n", encoding="utf-8")
    options = ["--input_dirs", str(tmp_path), "--every_step", str(tmp_path), "--output_dir", str(tmp_path / "out")]
    assert compare.main(options) == 2
    assert "remove the directory that is not wanted" in capsys.readouterr().err
