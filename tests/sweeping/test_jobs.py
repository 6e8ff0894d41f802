"""Names, seeds, commands and states of jobs. The expected values were recorded from DomainBed."""

import itertools
import json
import os
import shlex
from pathlib import Path

import pytest

from domainbed.errors import InputError
from domainbed.running import lock
from domainbed.sweeping.jobs import Job, all_test_env_combinations, make_args_list, other_data_dirs

PARITY_SWEEP = Path(__file__).resolve().parents[3] / "shared" / "parity" / "sweep"

ERM_VLCS = {
    "algorithm": "ERM",
    "data_dir": "/data",
    "dataset": "VLCS",
    "holdout_fraction": 0.2,
    "hparams_seed": 0,
    "seed": 1721972278,
    "steps": 1001,
    "task": "domain_generalization",
    "test_envs": [0],
    "trial_seed": 0,
}
ADAPTATION = ERM_VLCS | {
    "data_dir": "/my data/x",
    "dataset": "PACS",
    "hparams": '{"batch_size": 8, "resnet18": true}',
    "hparams_seed": 1,
    "seed": 2122750367,
    "steps": 300,
    "task": "domain_adaptation",
    "test_envs": [0, 3],
}


def args_list(**changes):
    arguments = {
        "n_trials": 1,
        "dataset_names": ["VLCS"],
        "algorithms": ["ERM"],
        "n_hparams_from": 0,
        "n_hparams": 1,
        "steps": None,
        "data_dir": "/data",
        "task": "domain_generalization",
        "holdout_fraction": 0.2,
        "single_test_envs": False,
        "hparams": None,
    }
    return make_args_list(**(arguments | changes))


@pytest.mark.parametrize(
    ("train_args", "name"),
    [
        ({"foo": "bar"}, "94232c5b8fc9272f6f73a1e36eb68fcf"),
        (ERM_VLCS, "4d8cc905df5bebff5cdbf9edaa9156c3"),
        (ADAPTATION, "8cb554f8b3e6bc9e93cf04152ec7e74d"),
        (ERM_VLCS | {"test_envs": [0, 2], "hparams_seed": 1, "seed": 164938159}, "74061e406ec49920c11add2c73042666"),
        (
            ERM_VLCS | {"test_envs": [3], "hparams_seed": 1, "trial_seed": 1, "seed": 1726329315},
            "53bc94cf5c5d4e89591bbaaacc58aac7",
        ),
    ],
)
def test_directory_names_are_domainbeds(train_args, name):
    assert Job(train_args, "/out").output_dir == f"/out/{name}"


def test_a_list_without_steps_or_hparams_gives_domainbeds_names_and_seeds():
    jobs = args_list(algorithms=["IRM"], dataset_names=["RotatedMNIST"], n_hparams_from=1, n_hparams=2)
    assert jobs[0]["seed"] == 488757199
    assert set(jobs[0]) == {*ERM_VLCS} - {"steps"}
    assert Job(jobs[0], "/out").output_dir == "/out/bbd1d3367444b1a69101793fd6ebeb99"


def test_seeds_of_pairs_and_later_trials_are_domainbeds():
    jobs = args_list(n_trials=2, n_hparams=2, steps=1001)
    assert ERM_VLCS in jobs
    assert ERM_VLCS | {"test_envs": [0, 2], "hparams_seed": 1, "seed": 164938159} in jobs
    assert ERM_VLCS | {"test_envs": [3], "hparams_seed": 1, "trial_seed": 1, "seed": 1726329315} in jobs


def test_a_recorded_sweep_is_named_alike():
    if not PARITY_SWEEP.exists():
        pytest.skip(f"the recorded sweep is not at {PARITY_SWEEP}")
    jobs = args_list(n_trials=2, n_hparams=2, steps=1001, data_dir="/checkpoint/dlp/datasets_new")
    jobs = [Job(train_args, str(PARITY_SWEEP)) for train_args in jobs]
    assert sorted(Path(job.output_dir).name for job in jobs) == sorted(
        path.name for path in PARITY_SWEEP.iterdir() if path.is_dir()
    )
    assert {job.state for job in jobs} == {Job.DONE}
    for job in jobs:
        with open(Path(job.output_dir) / "results.jsonl") as file:
            recorded = json.loads(file.readline())["args"]
        assert {name: recorded[name] for name in job.train_args if name != "output_dir"} == {
            name: value for name, value in job.train_args.items() if name != "output_dir"
        }


def test_commands_are_domainbeds_and_quoted():
    assert Job({"foo": "bar"}, "/out").command_str == (
        "python -m domainbed.scripts.train --foo bar --output_dir /out/94232c5b8fc9272f6f73a1e36eb68fcf"
    )
    assert Job(ADAPTATION, "/out").command_str == (
        "python -m domainbed.scripts.train --algorithm ERM --data_dir '/my data/x' --dataset PACS "
        """--holdout_fraction 0.2 --hparams '{"batch_size": 8, "resnet18": true}' --hparams_seed 1 """
        "--output_dir /out/8cb554f8b3e6bc9e93cf04152ec7e74d --seed 2122750367 --steps 300 "
        "--task domain_adaptation --test_envs 0 3 --trial_seed 0"
    )


def test_a_command_survives_the_shell_whatever_its_values():
    job = Job({"names": ["a b", "$HOME"], "switch": True, "off": False, "unset": None}, "/my out")
    words = shlex.split(job.command_str)
    assert words[3:] == ["--names", "a b", "$HOME", "--output_dir", job.output_dir, "--switch"]


def test_train_args_are_copied():
    given = {"test_envs": [0]}
    job = Job(given, "/out")
    job.train_args["test_envs"].append(1)
    assert given == {"test_envs": [0]}


def test_a_job_introduces_itself():
    expected = "Not launched: /out/4d8cc905df5bebff5cdbf9edaa9156c3 ('VLCS', 'ERM', [0], 0)"
    assert str(Job(ERM_VLCS, "/out")) == expected


def test_states_follow_the_directory(tmp_path):
    commands = []
    job = Job({"foo": "bar"}, str(tmp_path))
    assert job.state == Job.NOT_LAUNCHED
    assert Job.launch([job], commands.extend) == []
    assert commands == [job.command_str]
    job = Job({"foo": "bar"}, str(tmp_path))
    assert job.state == Job.INCOMPLETE
    (Path(job.output_dir) / "done").write_text("done")
    Job.delete([job])  # found incomplete, but done by now
    job = Job({"foo": "bar"}, str(tmp_path))
    assert job.state == Job.DONE
    Job.delete([job])
    assert Job({"foo": "bar"}, str(tmp_path)).state == Job.NOT_LAUNCHED


def test_launch_makes_every_directory_first_and_shuffles_by_seed_alone(tmp_path):
    jobs = [Job({"number": number}, str(tmp_path)) for number in range(20)]
    orders = []

    def launcher(commands):
        assert len(os.listdir(tmp_path)) == 20
        orders.append(commands)
        return [number % 2 for number in range(20)]

    for seed in (0, 0, 1):
        failed = Job.launch(jobs, launcher, seed)
        assert [job.command_str for job, _ in failed] == orders[-1][1::2]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(job.command_str for job in jobs)


def test_of_a_directory_that_is_a_link_delete_removes_the_link_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "results.jsonl").write_text("{}")
    name = Path(Job(ERM_VLCS, str(tmp_path / "sweep")).output_dir)
    name.parent.mkdir()
    name.symlink_to(elsewhere)
    Job.delete([Job(ERM_VLCS, str(tmp_path / "sweep"))])
    assert not name.is_symlink()
    assert (elsewhere / "results.jsonl").read_text() == "{}"


def test_delete_refuses_all_when_one_is_alive(tmp_path):
    jobs = [Job({"number": number}, str(tmp_path)) for number in range(2)]
    for job in jobs:
        os.mkdir(job.output_dir)
    with lock.exclusive_lock(jobs[1].output_dir), pytest.raises(InputError, match="alive"):
        Job.delete(jobs)
    assert len(os.listdir(tmp_path)) == 2


def test_combinations_of_test_environments():
    expected = [[0], [0, 1], [0, 2], [0, 3], [1], [1, 2], [1, 3], [2], [2, 3], [3]]
    assert list(all_test_env_combinations(4)) == expected
    with pytest.raises(AssertionError):
        next(all_test_env_combinations(2))


def test_args_list_nests_trials_datasets_algorithms_environments_hparams():
    jobs = args_list(n_trials=2, dataset_names=["Debug28", "VLCS"], algorithms=["ERM", "IRM"], n_hparams=3)
    order = [tuple(job[name] for name in ("trial_seed", "dataset", "algorithm")) for job in jobs]
    assert list(dict.fromkeys(order)) == list(itertools.product([0, 1], ["Debug28", "VLCS"], ["ERM", "IRM"]))
    assert [(job["test_envs"], job["hparams_seed"]) for job in jobs[:4]] == [([0], 0), ([0], 1), ([0], 2), ([0, 1], 0)]
    assert len(jobs) == 2 * 2 * 3 * (6 + 10)


def test_single_test_envs_leave_out_the_pairs():
    assert [job["test_envs"] for job in args_list(single_test_envs=True)] == [[0], [1], [2], [3]]


def test_further_flags_enter_only_when_given():
    assert args_list(uda_holdout_fraction=None, skip_model_save=None) == args_list()
    extended = args_list(uda_holdout_fraction=0.5, skip_model_save=True)[0]
    assert extended == args_list()[0] | {"uda_holdout_fraction": 0.5, "skip_model_save": True}
    assert "--skip_model_save --steps" in Job(extended | {"steps": 3}, "/out").command_str


def test_jobs_that_ran_under_another_data_dir_are_found(tmp_path):
    """Same arguments, data moved: the name changes, and the records still tell."""
    old = Job(ERM_VLCS, str(tmp_path))
    os.mkdir(old.output_dir)
    recorded = old.train_args | {"hparams": None, "uda_holdout_fraction": 0}
    (Path(old.output_dir) / "results.jsonl").write_text(json.dumps({"args": recorded}) + "\n")
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "results.jsonl").write_text('{"args": {"alg')
    moved = Job(ERM_VLCS | {"data_dir": "/data/"}, str(tmp_path))
    other = Job(ERM_VLCS | {"data_dir": "/data/", "steps": 5}, str(tmp_path))
    assert other_data_dirs([moved, other]) == {"/data": 1}
    assert other_data_dirs([other]) == {}
