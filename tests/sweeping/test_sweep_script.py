"""The command line of sweeps. Jobs are real processes, with a tiny command in the place of a training run."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from domainbed.names import ALGORITHMS, LEAVE_ONE_OUT, SELECTIONS
from domainbed.reports.selection import METHODS, LeaveOneOutSelectionMethod
from domainbed.running import lock
from domainbed.scripts import sweep
from domainbed.sweeping.launchers import REGISTRY, local_launcher

DEBUG = ["--algorithms", "ERM", "--datasets", "Debug28", "--n_hparams", "1", "--n_trials", "1"]


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command line in an empty directory; gives the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv, confirm=False):
        code = sweep.main([*argv, *([] if confirm else ["--skip_confirmation"])])
        return code, *capsys.readouterr()

    return run


def directories():
    """The names of the jobs' directories."""
    return sorted(path.name for path in Path("out").iterdir() if path.is_dir())


@pytest.fixture
def commands(monkeypatch):
    """The commands that a launch would have started."""
    started = []
    monkeypatch.setitem(REGISTRY, "list", started.extend)
    return started


@pytest.fixture
def half_fail(monkeypatch):
    """A launcher whose every other job fails, with a last word in its err.txt."""
    script = """if True:
        import os, sys
        number, words = int(sys.argv[1]), sys.argv[2:]
        directory = words[words.index("--output_dir") + 1]
        if number % 2:
            open(os.path.join(directory, "failed"), "w").write("ValueError: out of luck")
            sys.exit(4)
        open(os.path.join(directory, "done"), "w").write("done")
    """

    def launcher(commands):
        jobs = [["python", "-c", script, str(number), *shlex.split(line)] for number, line in enumerate(commands)]
        return local_launcher([shlex.join(words) for words in jobs])

    monkeypatch.setitem(REGISTRY, "half_fail", launcher)


def test_the_names_that_others_import():
    assert len(sweep.DATASETS) == 16
    assert not any("Debug" in name for name in sweep.DATASETS)
    assert {"Job", "all_test_env_combinations", "ask_for_confirmation", "make_args_list"} <= vars(sweep).keys()


def test_importing_the_script_needs_no_deep_learning():
    script = "import sys, domainbed.scripts.sweep; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"


def test_dummy_launches_each_job_once_until_it_is_deleted(run):
    """DomainBed's own test: three single environments and three pairs, so 6 lines, then 0, then 6 again."""
    launch = ["launch", "--command_launcher", "dummy", "--data_dir", "/tmp/none", "--output_dir", "out", *DEBUG]
    for expected in (6, 0, 6):
        code, out, _ = run(*launch)
        assert code == 0
        assert sum(line.startswith("Dummy launcher:") for line in out.splitlines()) == expected
        if expected == 0:
            assert run("delete_incomplete", "--data_dir", "/tmp/none", "--output_dir", "out", *DEBUG)[0] == 0


def test_what_a_launch_prints(run):
    _, out, _ = run("launch", "--command_launcher", "dummy", "--output_dir", "out", "--single_test_envs", *DEBUG)
    lines = out.splitlines()
    assert [line.split(": out/")[0] for line in lines[:3]] == ["Not launched"] * 3
    assert lines[3:7] == [
        "3 jobs: 0 done, 0 incomplete, 3 not launched.",
        "About to launch 3 jobs.",
        "Launching...",
        "Making job directories:",
    ]
    assert lines[-1] == "Launched 3 jobs!"
    _, out, _ = run("delete_incomplete", "--output_dir", "out", "--single_test_envs", *DEBUG)
    assert out.splitlines()[3:] == [
        "3 jobs: 0 done, 3 incomplete, 0 not launched.",
        "About to delete 3 jobs.",
        "Deleting...",
        "Deleted 3 jobs!",
    ]
    assert directories() == []


@pytest.mark.parametrize("answer", ["n", "", "  NY", "oh yes"])
def test_any_answer_but_yes_launches_nothing(run, monkeypatch, capsys, answer):
    monkeypatch.setattr("builtins.input", lambda prompt: print(prompt) or answer)
    with pytest.raises(SystemExit) as end:
        run("launch", "--command_launcher", "dummy", *DEBUG, confirm=True)
    assert end.value.code == 0
    assert capsys.readouterr().out.endswith("Are you sure? (y/n) \nNevermind!\n")
    assert os.listdir() == []


def test_yes_in_any_form_launches(run, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "  Yes please")
    _, out, _ = run("launch", "--command_launcher", "dummy", *DEBUG, confirm=True)
    assert out.endswith("Launched 6 jobs!\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--algorithms", "EMR"], "Algorithm not found: EMR (nearest: ERM"),
        (["--algorithms", "ERM", "--combine", "GAG"], "Algorithm not found: ERM_GAG"),
        (["--datasets", "Debug29"], "Dataset not found: Debug29 (nearest: Debug28"),
        (["--command_launcher", "locla"], "Command launcher not found: locla (nearest: local"),
        (["--hparams", "{lr: 1}"], "--hparams is not valid JSON"),
        (["--hparams", "[1]"], "--hparams must be a JSON object"),
        (["--hparams", '{"learning_rate": 1}'], "unknown hparam 'learning_rate'"),
        (["--holdout_fraction", "1.5"], "--holdout_fraction must lie between 0 and 1"),
        (["--task", "domain_adaptation"], "--uda_holdout_fraction"),
        (["--steps", "-1"], "--steps must be at least 1, not -1"),
        (["--steps", "0"], "--steps must be at least 1, not 0"),
        (["--checkpoint_freq", "0"], "--checkpoint_freq must be at least 1, not 0"),
        (["--n_hparams_from", "5", "--n_hparams", "5"], "no jobs"),
        (["--n_hparams_from", "-1"], "--hparams_seed must be at least 0, not -1"),
        (["--jobs", "0"], "--jobs 0"),
        (["--command_launcher", "dummy", "--jobs", "2"], "only with --command_launcher local"),
        (["--device", "abacus"], "--device abacus"),
        (["--logger", "tensorbord"], "Logger not found: tensorbord (nearest: tensorboard"),
        (["--num_workers", "-1"], "--num_workers must be 0"),
    ],
)
def test_bad_input_is_one_line_and_code_2_and_leaves_nothing(run, argv, message):
    code, _, err = run("launch", *DEBUG, *argv)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert os.listdir() == []


def test_an_output_dir_that_is_a_file_is_named_and_nothing_is_launched(run, commands):
    Path("out").write_text("notes")
    code, out, err = run("launch", *DEBUG, "--output_dir", "out", "--command_launcher", "list")
    assert (code, out, commands) == (2, "", [])
    assert err == "error: out is not a directory; choose another --output_dir\n"


def test_missing_data_is_listed_and_nothing_is_launched(run):
    code, out, err = run("launch", *DEBUG, "--datasets", "Debug28", "VLCS", "PACS")
    assert code == 2
    assert out == ""
    assert err.startswith("error: nothing was launched, for these datasets cannot be used: VLCS, PACS\n  VLCS: ")
    assert "--datasets Digits" in err.splitlines()[-1]
    assert os.listdir() == []


def test_deleting_needs_no_launcher_and_no_data(run):
    assert run("delete_incomplete", "--command_launcher", "gone", *DEBUG, "--datasets", "VLCS")[0] == 0


def test_delete_leaves_running_jobs_alone(run):
    arguments = ["--output_dir", "out", "--single_test_envs", *DEBUG]
    run("launch", "--command_launcher", "dummy", *arguments)
    running = directories()[1]
    with lock.exclusive_lock(Path("out") / running):
        code, out, _ = run("delete_incomplete", *arguments)
    assert code == 0
    assert "3 jobs: 0 done, 3 incomplete, 0 not launched.\n1 of the incomplete jobs are running" in out
    assert directories() == [running]


def test_a_job_that_was_done_while_the_user_was_asked_is_not_deleted(run, monkeypatch):
    arguments = ["--output_dir", "out", "--single_test_envs", *DEBUG]
    run("launch", "--command_launcher", "dummy", *arguments)
    job = directories()[0]
    monkeypatch.setattr("builtins.input", lambda prompt: Path("out", job, "done").write_text("done") and "yes")
    code, out, _ = run("delete_incomplete", *arguments, confirm=True)
    assert code == 0
    assert out.endswith("Deleted 2 jobs!\n")
    assert directories() == [job]


def test_failed_jobs_are_named_with_their_error_left_alone_and_retried_on_request(run, half_fail, commands):
    arguments = ["launch", "--output_dir", "out", "--single_test_envs", *DEBUG, "--command_launcher"]
    code, out, err = run(*arguments, "half_fail")
    assert code == 1
    assert out.endswith("Launched 3 jobs!\n")
    (failed,) = [job for job in directories() if not os.path.exists(f"out/{job}/done")]
    assert f"Failed with exit code 4: out/{failed}: ValueError: out of luck\n1 of 3 jobs failed.\n" in err

    code, out, _ = run(*arguments, "list")
    assert code == 0
    assert commands == []
    assert f"--retry_failed tries them again:\n  out/{failed}: ValueError: out of luck\nAbout to launch 0 jobs" in out
    with lock.exclusive_lock(f"out/{failed}"):
        run(*arguments, "list", "--retry_failed")
    assert commands == []
    code, _, err = run(*arguments, "list", "--retry_failed")
    assert code == 0
    assert err == ""
    assert [failed in command for command in commands] == [True]


def test_a_launch_takes_up_what_stopped_unless_only_new_ones_are_wanted(run, commands):
    flags = ["launch", *DEBUG, "--single_test_envs", "--output_dir", "out", "--command_launcher", "list"]
    run(*flags)
    done, stopped, running = (f"out/{name}" for name in directories())
    Path(done, "done").write_text("done")
    Path(stopped, "results.jsonl").touch()
    with lock.exclusive_lock(running):
        for options, expected in {(): [stopped], ("--resume_incomplete",): [stopped], ("--only_new",): []}.items():
            commands.clear()
            run(*flags, *options)
            assert [word for line in commands for word in shlex.split(line) if word.startswith("out/")] == expected


def test_selection_decides_on_the_pairs(run):
    flags = ["launch", *DEBUG, "--command_launcher", "dummy", "--dry_run", "--selection"]
    for selection, jobs in {("iid",): 3, ("oracle", "iid"): 3, ("loo",): 6, ("iid", "loo"): 6}.items():
        assert f"{jobs} jobs: 0 done" in run(*flags, *selection)[1]


def test_every_method_of_the_tables_can_be_selected():
    assert len(SELECTIONS) == len(METHODS)
    assert METHODS[SELECTIONS.index(LEAVE_ONE_OUT)] is LeaveOneOutSelectionMethod


def test_a_dry_run_leaves_nothing_and_projects_hours_from_what_was_measured(run):
    flags = ["launch", *DEBUG, "--single_test_envs", "--steps", "11", "--output_dir", "out"]
    dummy = ["--command_launcher", "dummy"]
    code, out, _ = run(*flags, "--dry_run")
    assert (code, os.listdir()) == (0, [])
    assert "ERM on Debug28     3 not measured not measured" in out
    run(*flags, *dummy)
    # 36 s for the first of 11 steps and 72 s for each of ten: 756 s a run, 2268 for the three of the second trial.
    records = [{"step": step, "step_time": 36.0 * (1 + (step > 0)), "args": {}} for step in (0, 5, 10)]
    path = Path("out", directories()[0])
    (path / "results.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (path / "done").touch()
    listed = sorted(Path("out").rglob("*"))
    _, out, _ = run(*flags, "--n_trials", "2", "--dry_run", "--only_new")
    assert "6 jobs: 1 done, 2 incomplete, 3 not launched." in out
    assert "3 of them train for 38 minutes, one at a time" in out
    assert sorted(Path("out").rglob("*")) == listed


def test_parts_in_directories_of_their_own_are_measured_each_by_itself(run):
    """The same algorithm and dataset in two directories, of which one has a run of 36 s a step and the other none."""
    part = "--datasets Debug28 --algorithms GGA --n_hparams 1 --n_trials 1 --single_test_envs --steps 100"
    Path("sweep.txt").write_text(f"{part} --output_dir few\n{part} --output_dir many\n")
    flags = ["launch", "--from", "sweep.txt", "--output_dir", "out", "--command_launcher", "dummy"]
    run(*flags)
    path = next(Path("out/few").glob("*/"))
    (path / "results.jsonl").write_text(json.dumps({"step": 99, "step_time": 36.0, "args": {}}) + "\n")
    (path / "done").touch()
    _, out, _ = run(*flags, "--dry_run", "--resume_incomplete")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "few: GGA on Debug28 2 36 2" in lines
    assert "many: GGA on Debug28 3 not measured not measured" in lines
    _, out, _ = run("status", "--output_dir", "out")
    assert "few: GGA on Debug28 3 1 2 36" in [" ".join(line.split()) for line in out.splitlines()]


def test_a_file_names_the_parts_of_a_sweep_and_the_command_line_goes_first(run, commands):
    Path("sweep.txt").write_text(
        "# a comment, then a line that goes on\n"
        "--datasets Debug28 --algorithms ERM --n_trials 2 \\\n  --n_hparams 1 --single_test_envs\n\n"
        "--datasets Debug28 --algorithms GGA --n_hparams 1 --single_test_envs --output_dir narrow "
        """--hparams '{"gga_end": 120}'\n"""
    )
    code, _, _ = run(
        "launch", "--from", "sweep.txt", "--n_trials", "1", "--output_dir", "out", "--command_launcher", "list"
    )
    assert code == 0
    assert len(commands) == 6
    narrow = [line for line in commands if "gga_end" in line]
    assert len(narrow) == 3
    assert all("--output_dir out/narrow/" in line and "--algorithm GGA" in line for line in narrow)
    assert sorted(os.listdir("out")) == sorted([*directories(), "launches.jsonl"])
    _, out, _ = run("status", "--output_dir", "out")
    assert {tuple(line.split()[:5]) for line in out.splitlines()} >= {
        ("ERM", "on", "Debug28", "3", "3"),
        ("narrow:", "GGA", "on", "Debug28", "3"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("# none\n", "has no line of flags"),
        ("--hparams '{", "a shell would not understand"),
        (
            "--datasets Debug28 --jobs 2",
            "--jobs in a line of a sweep file is of the launch; give it on the command line",
        ),
        (
            '--datasets Debug28 --algorithms GGA --single_test_envs --hparams \'{"gga_proposal": "walkies"}\'\n'
            "--datasets Debug28 --algorithms GGA --single_test_envs --output_dir right",
            "hparam 'gga_proposal' must be one of",
        ),
    ],
)
def test_a_file_that_describes_no_sweep_is_named(run, text, message):
    if text is not None:
        Path("sweep.txt").write_text(text)
    code, out, err = run("launch", "--from", "sweep.txt")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_device_and_jobs_do_not_change_what_a_job_is(run, commands):
    run("launch", *DEBUG, "--output_dir", "out", "--command_launcher", "list", "--device", "cpu")
    assert len(commands) == 6
    assert all(command.endswith(" --device cpu") for command in commands)
    plain = sweep.make_args_list(
        1, ["Debug28"], ["ERM"], 0, 1, None, "./data", "domain_generalization", 0.2, False, None
    )
    assert {sweep.Job(train_args, "out").state for train_args in plain} == {sweep.Job.INCOMPLETE}


def test_a_line_that_stands_twice_is_launched_once(run, commands):
    line = "--datasets Debug28 --algorithms ERM --n_trials 1 --n_hparams 1 --single_test_envs\n"
    Path("sweep.txt").write_text(2 * line)
    assert run("launch", "--from", "sweep.txt", "--output_dir", "out", "--command_launcher", "list")[0] == 0
    assert len(commands) == 3


def test_stopped_jobs_are_not_called_failed(run, monkeypatch):
    monkeypatch.setitem(REGISTRY, "stops", lambda commands: [143, -9, 1, 130, 143, 143][: len(commands)])
    code, _, err = run("launch", *DEBUG, "--output_dir", "out", "--command_launcher", "stops")
    assert code == 1
    assert err.count("Stopped with exit code") == 5
    assert "1 of 6 jobs failed." in err
    assert "5 of 6 jobs were stopped; the same command continues them." in err


def test_fixed_hparams_reaches_the_jobs_and_their_names_only_when_given(run, commands):
    flags = ["launch", *DEBUG, "--output_dir", "out", "--command_launcher", "list"]
    run(*flags)
    plain = list(commands)
    commands.clear()
    run(*flags, "--fixed_hparams")
    assert len(commands) == len(plain) == 6
    assert all(" --fixed_hparams " in command for command in commands)
    assert not any("fixed_hparams" in command for command in plain)
    names = [
        {shlex.split(line)[shlex.split(line).index("--output_dir") + 1] for line in of} for of in (plain, commands)
    ]
    assert names[0].isdisjoint(names[1])


def test_combine_is_naming_the_combinations(run):
    flags = ["launch", *DEBUG, "--command_launcher", "dummy"]
    _, named, _ = run(*flags, "--output_dir", "out", "--algorithms", "ERM_GGA", "ERM_GGA_L")
    run("delete_incomplete", *DEBUG, "--output_dir", "out", "--algorithms", "ERM", "--combine", "GGA", "GGA_L")
    _, combined, _ = run(*flags, "--output_dir", "out", "--algorithms", "ERM", "--combine", "GGA", "GGA_L")
    assert combined == named
    assert "12 not launched" in combined


def test_a_name_given_twice_is_one_job(run):
    _, out, _ = run("launch", *DEBUG, "--algorithms", "ERM", "ERM", "--command_launcher", "dummy")
    assert "6 jobs: 0 done" in out


def test_the_defaults_are_domainbeds():
    """Of n environments each one and each pair, n (n + 1) / 2, for 34 algorithms on 16 datasets."""
    args = sweep._parser().parse_args(["launch"])
    assert (args.datasets, args.algorithms) == (sweep.DATASETS, ALGORITHMS)
    assert (args.data_dir, args.output_dir, args.command_launcher) == ("./data", "./sweep_output", "local")
    assert (args.n_hparams_from, args.n_hparams, args.n_trials, args.holdout_fraction) == (0, 20, 3, 0.2)
    args = sweep._parser().parse_args(["launch", "--n_hparams", "1", "--n_trials", "1"])
    sizes = [3, 6, 4, 4, 4, 4, 6, 10, 5, 6] + [3] * 6
    assert len(sweep._args_list(args)) == 34 * sum(n * (n + 1) // 2 for n in sizes)


def test_jobs_of_another_data_dir_are_mentioned(run):
    """The data moved from ./data to ./data/: every name changes, and the user should hear why."""
    flags = ["launch", *DEBUG, "--output_dir", "out", "--command_launcher", "dummy"]
    assert run(*flags)[2] == ""
    for train_args in sweep._args_list(sweep._parser().parse_args(flags)):
        job = sweep.Job(train_args, "out")
        Path(job.output_dir, "results.jsonl").write_text(json.dumps({"args": job.train_args}) + "\n")
    assert "--data_dir" not in run(*flags, "--checkpoint_freq", "5")[2]
    _, _, err = run(*flags, "--data_dir", "./data/")
    assert err.startswith("WARNING: 6 of these jobs were run with --data_dir ./data, ")
