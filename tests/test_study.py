"""The study of GGA with and around other methods: how it chooses, and what its tables say of its runs."""

import importlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from running.tiny_runs import RUN_HPARAMS
from test_tutorial import ROOT

ENVIRONMENTS, TRIALS = 3, 2


@pytest.fixture(autouse=True)
def sweeps_found(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "sweeps")


@pytest.fixture
def study(monkeypatch):
    """With one small dataset, one method beside GGA, and two trials."""
    module = importlib.import_module("study")
    small = module.Benchmark(
        ENVIRONMENTS,
        RUN_HPARAMS,
        ("--steps", "5", "--checkpoint_freq", "2"),
        learning_rates=(1e-4, 1e-3),
        windows=((1, 2), (3, 4)),
        searches={"gga_search_steps": 2, "gga_ascent_steps": 1},
        swad_freq=1,
    )
    monkeypatch.setattr(module, "BENCHMARKS", {"Debug28": small})
    monkeypatch.setattr(module, "OTHERS", {"CORAL": ("mmd_gamma", (1.0, 0.1))})
    monkeypatch.setattr(module, "TRIALS", TRIALS)
    return module


@pytest.fixture
def tables():
    return importlib.import_module("study_tables")


def chosen(tried):
    return {method: settings[0] for method, settings in tried.items()}


def test_it_chooses_by_validation_and_gives_the_chosen_all_trials(study, tmp_path):
    runs = study.Study(tmp_path, "Debug28", SimpleNamespace(imap=map))
    tried = runs.run()
    for settings in tried.values():
        accuracies = [runs.validation(setting) for setting in settings]
        assert accuracies == sorted(accuracies, reverse=True)
    best = chosen(tried)
    lr = best["ERM"].hparams
    assert all(setting.hparams["lr"] == lr["lr"] for name in tried if name != "ERM" for setting in tried[name])
    gga = max(best["GGA (walk)"], best["GGA (ascent)"], key=runs.validation).hparams
    assert best["CORAL_GGA"].hparams == best["CORAL"].hparams | gga
    assert best["GGA_SWAD"].hparams == gga
    numbers = {path.name: len(list(path.glob("*/done"))) for path in (tmp_path / "Debug28").iterdir()}
    names = {setting.name for setting in best.values()}
    assert {name for name, number in numbers.items() if number == ENVIRONMENTS * TRIALS} == names
    assert {number for name, number in numbers.items() if name not in names} == {ENVIRONMENTS}
    assert len(numbers) == sum(map(len, tried.values()))


def test_a_setting_of_which_a_run_diverged_is_not_chosen(study, tmp_path):
    runs = study.Study(tmp_path, "Debug28", SimpleNamespace(imap=map))
    diverging, fine = study.Setting("ERM", {"lr": 1e30}), study.Setting("ERM", {"lr": 1e-4})
    assert runs.tried([diverging, fine]) == [fine, diverging]
    assert runs.validation(diverging) == float("-inf")


def frame(accuracy, sims=lambda method, env, trial: (0.0, 0.1)):
    """Runs of ERM, GGA, CORAL and CORAL_GGA on two datasets; accuracy and sims: (method, env, trial) -> numbers."""
    rows = []
    for dataset in ("A", "B"):
        for method in ("ERM", "GGA (walk)", "CORAL", "CORAL_GGA"):
            for env in range(ENVIRONMENTS):
                for trial in range(4):
                    start, end = sims(method, env, trial) if "GGA" in method else (np.nan, np.nan)
                    run = {"dataset": dataset, "method": method, "test_env": env, "trial": trial}
                    rows.append(run | {"test": accuracy(method, env, trial), "sim_start": start, "sim_end": end})
    return pd.DataFrame(rows)


def test_each_method_with_gga_is_compared_with_itself_without(tables):
    gained = {"ERM": 0.0, "GGA (walk)": 1.0, "CORAL": 5.0, "CORAL_GGA": 3.0}
    runs = frame(lambda method, env, trial: 50.0 + 10 * env + trial + gained[method])
    over_base = tables.over_base(runs).set_index(["dataset", "algorithm"])
    assert over_base.loc[("all", "GGA (walk)"), ["baseline", "difference"]].tolist() == ["ERM", pytest.approx(1)]
    assert over_base.loc[("A", "CORAL_GGA"), ["baseline", "difference"]].tolist() == ["CORAL", pytest.approx(-2)]
    assert over_base.loc["all", "environments"].tolist() == [6, 6]
    over_erm = tables.over_erm(runs).set_index(["dataset", "algorithm"])["difference"]
    assert over_erm.loc["B"].to_dict() == pytest.approx({"GGA (walk)": 1, "CORAL": 5, "CORAL_GGA": 3})


def test_agreement_predicts_accuracy_where_it_decides_it_and_not_where_the_environment_does(tables):
    """Accuracy over the base rises with the similarity gained, and falls with the similarity where a search ended."""
    gains = {(env, trial): (trial - 1.5) / 10 for env in range(ENVIRONMENTS) for trial in range(4)}
    runs = frame(
        lambda method, env, trial: 60.0 + 10 * gains[env, trial] * ("GGA" in method),
        lambda method, env, trial: (-gains[env, trial] * 3 + env, -gains[env, trial] * 2 + env),
    )
    found = tables.agreement(runs).set_index(["dataset", "measure", "same"])
    for same in ("test_env", "test_env, method"):
        assert found.loc[("all", "gained", same), ["correlation", "low", "high"]].tolist() == pytest.approx([1, 1, 1])
        assert found.loc[("all", "reached", same), "correlation"] == pytest.approx(-1)
    assert found.loc[("A", "gained", "test_env"), "runs"] == 2 * ENVIRONMENTS * 4


def test_what_differs_between_methods_alone_is_no_correlation_within_a_method(tables):
    runs = frame(
        lambda method, env, trial: 60.0 + {"GGA (walk)": 1, "CORAL_GGA": 2}.get(method, 0),
        lambda method, env, trial: (0.0, 0.5 if method == "CORAL_GGA" else 0.1),
    )
    found = tables.agreement(runs).set_index(["dataset", "measure", "same"])["correlation"]
    assert found["all", "gained", "test_env"] == pytest.approx(1)
    assert np.isnan(found["all", "gained", "test_env, method"])


def test_the_interval_of_the_correlation_is_over_environments(tables):
    """Two environments that contradict each other say nothing, however many runs they have."""
    rising = np.stack([np.arange(100), np.arange(100)], axis=1)
    low, high = tables.interval([rising, rising * [1, -1]])
    assert (low, high) == pytest.approx((-1, 1), abs=0.01)


def test_the_tables_are_written_from_runs_and_name_a_setting_that_diverged(study, tables, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BENCHMARKS", study.BENCHMARKS)
    small = study.BENCHMARKS["Debug28"]._replace(learning_rates=(1e-3, 1e30))
    monkeypatch.setitem(study.BENCHMARKS, "Debug28", small)
    assert study.main(["--output_dir", str(tmp_path / "runs"), "--jobs", "1"]) == 0
    assert tables.main(["--input_dir", str(tmp_path / "runs"), "--output_dir", str(tmp_path / "tables")]) == 0
    settings, runs = (pd.read_csv(tmp_path / f"tables/{name}.csv") for name in ("settings", "runs"))
    accuracy = settings.set_index("setting")["validation"]
    assert accuracy["ERM lr=1e+30"] == float("-inf")
    assert (accuracy.drop("ERM lr=1e+30") > 0).all()
    assert (runs.groupby("method").size() == ENVIRONMENTS * TRIALS).all()
    assert runs.loc[runs["method"].str.endswith("SWAD"), "swad_segments"].ge(1).all()
    assert_follow_from_runs(tables, tmp_path / "tables")


def test_a_run_that_fails_ends_the_study(study, tmp_path, capsys):
    broken = study.BENCHMARKS["Debug28"]._replace(flags=("--steps", "0"))
    study.BENCHMARKS["Debug28"] = broken
    assert study.main(["--output_dir", str(tmp_path), "--jobs", "1"]) == 2
    assert "exit code 2" in capsys.readouterr().err
    assert not (tmp_path / "Debug28.json").exists()


def assert_follow_from_runs(tables, directory):
    runs = pd.read_csv(directory / "runs.csv")
    for name in ("over_erm", "over_base", "agreement"):
        expected = getattr(tables, name)(runs)
        pd.testing.assert_frame_equal(
            pd.read_csv(directory / f"{name}.csv"), expected, rtol=1e-4, atol=1e-4, check_dtype=False
        )
