"""The status of hand-made sweeps: directories as runs leave them, with real locks."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from domainbed.errors import InputError
from domainbed.running import failure, lock
from domainbed.scripts import sweep
from domainbed.sweeping.grids import LAUNCHES, Grid, launched_jobs, record_launch, recorded_launches
from domainbed.sweeping.jobs import Job
from domainbed.sweeping.status import DONE, FAILED, RUNNING, STALE, WAITING, job_statuses
from domainbed.sweeping.timing import seconds_left, step_times

ARGUMENTS = {
    "n_trials": 1,
    "dataset_names": ["Moons"],
    "algorithms": ["ERM"],
    "n_hparams_from": 0,
    "n_hparams": 1,
    "steps": None,
    "data_dir": "./data",
    "task": "domain_generalization",
    "holdout_fraction": 0.2,
    "single_test_envs": True,
    "hparams": None,
}
GRID = Grid(ARGUMENTS, {"Moons": 5}, {"Moons": 101})  # a dataset of a package that is not installed here


@pytest.fixture
def jobs(tmp_path):
    """One job for each state, launched but with nothing in its directory yet."""
    record_launch(tmp_path, [GRID])
    jobs = [Job(args, str(tmp_path)) for args in GRID.args_list()]
    Job.launch(jobs, lambda commands: None)
    return dict(zip((DONE, RUNNING, FAILED, WAITING, STALE), jobs, strict=True))


def write_records(job, *steps, step_time=2.0):
    records = [{"step": step, "step_time": step_time, "args": job.train_args} for step in steps]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (Path(job.output_dir) / "results.jsonl").write_text(text)


@pytest.fixture
def sweep_dir(jobs, tmp_path):
    """The directory in which every job is in its state, the running one at step 50."""
    write_records(jobs[DONE], 0, 50, 100)
    (Path(jobs[DONE].output_dir) / "done").touch()
    write_records(jobs[RUNNING], 0, 50, step_time=0.5)
    write_records(jobs[STALE], 0)
    failure.record(Path(jobs[FAILED].output_dir), "error: step 7: loss is nan")
    with lock.exclusive_lock(jobs[RUNNING].output_dir):
        yield tmp_path


def test_each_state_is_what_the_directory_says(sweep_dir, jobs):
    found = {status.output_dir: status for status in job_statuses(sweep_dir)}
    assert {job.output_dir: state for state, job in jobs.items()} == {
        path: status.state for path, status in found.items()
    }
    running, failed = found[jobs[RUNNING].output_dir], found[jobs[FAILED].output_dir]
    assert (running.step, running.steps, running.step_time, running.steps_left) == (50, 101, 0.5, 50)
    assert failed.error == "error: step 7: loss is nan"
    assert all(status.args == GRID.args_list()[0] | {
        "test_envs": status.args["test_envs"], "seed": status.args["seed"]} for status in found.values())  # fmt: skip


def test_a_run_that_reports_its_last_record_alone_shows_its_progress(sweep_dir, jobs):
    directory = Path(jobs[STALE].output_dir)
    (directory / "progress").mkdir()
    (directory / "results.jsonl").rename(directory / "progress" / "results.jsonl")
    found = {status.output_dir: status for status in job_statuses(sweep_dir)}[jobs[STALE].output_dir]
    assert (found.state, found.step, found.step_time) == (STALE, 0, 2.0)


def test_the_time_left_is_that_of_the_steps_left(sweep_dir):
    """2 s a step, as the finished run took: 50 of the running one, 101 waiting, 100 of the stale one after step 0."""
    statuses = list(job_statuses(sweep_dir))
    times = step_times(statuses)
    assert times == {("ERM", "Moons", str(sweep_dir)): 2.0}
    assert seconds_left(statuses, times) == 2.0 * (50 + 101 + 100)
    assert seconds_left(statuses, {}) is None
    assert seconds_left([status for status in statuses if status.state in (DONE, FAILED)], {}) == 0


def test_the_table_and_the_object_say_the_same(sweep_dir, jobs, capsys):
    before = datetime.now().astimezone()
    assert sweep.main(["status", "--output_dir", str(sweep_dir)]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[1].split() == ["jobs", "done", "running", "failed", "waiting", "stale", "s/step"]
    assert lines[2].split() == ["ERM", "on", "Moons", "5", "1", "1", "1", "1", "1", "2"]
    of_job = "(ERM on Moons, test_envs [{}], trial_seed 0, hparams_seed 0)"
    assert f"  {jobs[RUNNING].output_dir} {of_job.format(1)}: step 51 of 101 (50 %), 2 steps/s" in lines
    assert f"  {jobs[FAILED].output_dir} {of_job.format(2)}: error: step 7: loss is nan" in lines
    assert "Time left: 8 minutes one at a time; estimated end " in lines[-1]

    assert sweep.main(["status", "--output_dir", str(sweep_dir), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == dict.fromkeys((DONE, RUNNING, FAILED, WAITING, STALE), 1)
    assert found["seconds_left"] == 502
    waited = datetime.fromisoformat(found["estimated_end"]) - before
    assert 501 <= waited.total_seconds() < 600
    assert {job["output_dir"] for job in found["jobs"]} == {job.output_dir for job in jobs.values()}


def test_a_sweep_of_an_original_domainbed_is_read_from_its_records_alone(sweep_dir, jobs):
    """What no record tells is unknown, and so is the number of steps where it was not given."""
    (sweep_dir / LAUNCHES).unlink()
    found = {status.output_dir: status for status in job_statuses(sweep_dir)}
    assert {found[job.output_dir].state for job in jobs.values()} == {DONE, RUNNING, FAILED, WAITING, STALE}
    assert found[jobs[DONE].output_dir].args["test_envs"] == [0]
    assert found[jobs[RUNNING].output_dir].steps is None
    assert found[jobs[WAITING].output_dir].args == {}
    statuses = list(found.values())
    assert seconds_left(statuses, step_times(statuses)) is None


def test_a_record_that_is_being_written_is_not_read_and_none_is_lost_to_it(sweep_dir, jobs):
    path = Path(jobs[RUNNING].output_dir) / "results.jsonl"
    with open(path, "a") as file:
        file.write('{"step": 75, "args": {"algo')
    assert {status.step for status in job_statuses(sweep_dir) if status.state == RUNNING} == {50}


def test_jobs_that_were_deleted_are_gone_and_sweeps_inside_are_found(sweep_dir, jobs):
    Job.delete([jobs[STALE]])
    inside = sweep_dir / "narrow"
    record_launch(inside, [GRID])
    Job.launch([Job(GRID.args_list()[0], str(inside))], lambda commands: None)
    (sweep_dir / "notes").mkdir()
    states = [status.state for status in job_statuses(sweep_dir)]
    assert sorted(states) == sorted([DONE, RUNNING, FAILED, WAITING, WAITING])


def test_a_watch_ends_when_nothing_is_left_to_run(sweep_dir, jobs, capsys):
    for state in (RUNNING, WAITING, STALE):
        (Path(jobs[state].output_dir) / "done").touch()
    assert sweep.main(["status", "--output_dir", str(sweep_dir), "--watch", "60"]) == 0
    assert capsys.readouterr().out.endswith("Nothing is left to train.\n")


def test_launches_are_recorded_once_and_describe_their_jobs(tmp_path):
    other = Grid(ARGUMENTS | {"algorithms": ["GGA"], "steps": 7}, {"Moons": 5}, {"Moons": 7})
    for grids in ([GRID], [GRID, other], [other]):
        record_launch(tmp_path, grids)
    assert recorded_launches(tmp_path) == [GRID, other]
    launched = launched_jobs(tmp_path)
    assert [steps for _, steps in launched.values()] == [101] * 5 + [7] * 5
    assert all(Job(args, "out").output_dir == f"out/{name}" for name, (args, _) in launched.items())


def test_a_torn_last_launch_is_left_out_and_a_corrupt_one_is_named(tmp_path):
    record_launch(tmp_path, [GRID])
    whole = (tmp_path / LAUNCHES).read_text()
    (tmp_path / LAUNCHES).write_text(whole + whole[:30])
    assert recorded_launches(tmp_path) == [GRID]
    other = Grid(ARGUMENTS | {"algorithms": ["GGA"]}, {"Moons": 5}, {"Moons": 101})
    record_launch(tmp_path, [other])
    assert recorded_launches(tmp_path) == [GRID, other]
    (tmp_path / LAUNCHES).write_text('{"algorithms": 3}\n' + whole)
    with pytest.raises(InputError, match="line 1 does not describe a launch"):
        list(job_statuses(tmp_path))


def test_a_directory_that_is_not_there_is_named(tmp_path, capsys):
    assert sweep.main(["status", "--output_dir", str(tmp_path / "gone")]) == 2
    assert "gone is not a directory" in capsys.readouterr().err
