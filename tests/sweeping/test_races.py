"""Launches and deletions of one sweep at the same time, as real processes."""

import subprocess
import sys
import time
from pathlib import Path

from domainbed.reports.records import load_runs
from domainbed.sweeping.jobs import Job

LAUNCH = [
    sys.executable, "-m", "domainbed.scripts.sweep", "launch", "--skip_confirmation", "--device", "cpu",
    "--datasets", "Debug28", "--algorithms", "ERM", "--n_hparams", "1", "--n_trials", "1", "--single_test_envs",
    "--steps", "3", "--checkpoint_freq", "1", "--skip_model_save", "--hparams", '{"batch_size": 4}',
]  # fmt: skip


def launch(output_dir: Path, *more: str) -> subprocess.Popen:
    argv = [*LAUNCH, "--output_dir", str(output_dir), *more]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_launches_of_one_sweep_train_every_job_once_and_both_succeed(tmp_path):
    """The second finds the jobs incomplete, since all directories are made at once, and launches them too.

    Neither waits for the other: in the same order, the second meets the first at its job, leaves that, and goes on.
    """
    out = tmp_path / "sweep"
    first = launch(out)
    while len(list(out.glob("*/"))) < 3:
        assert first.poll() is None
        time.sleep(0.01)
    second = launch(out)
    for process in (first, second):
        printed, errors = process.communicate()
        assert process.returncode == 0, printed + errors
        assert "Failed" not in errors
    runs = load_runs(out)
    assert [run.complete for run in runs] == [True] * 3
    assert [[record["step"] for record in run.records] for run in runs] == [[0, 1, 2]] * 3
    assert [(run.path / "out.txt").read_text().count("HParams:") for run in runs] == [1] * 3


DELETER = """if True:
    import os, sys
    from domainbed.errors import InputError
    from domainbed.sweeping.jobs import Job
    print("ready", flush=True)
    sys.stdout = open(os.devnull, "w")
    while True:
        try:
            Job.delete([Job({}, sys.argv[1])])
        except InputError:
            pass  # a trainer holds it
"""
TRAINER = """if True:
    import os, sys, time
    from domainbed.errors import InputError
    from domainbed.running.lock import exclusive_lock
    directory, trained = sys.argv[1], 0
    while trained < 20:
        os.makedirs(directory, exist_ok=True)
        try:
            with exclusive_lock(directory, timeout=60):
                path = os.path.join(directory, "results.jsonl")
                os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # fails beside another holder
                time.sleep(0.002)
                os.unlink(path)                                  # fails where the directory was deleted
                trained += 1
        except InputError as error:
            assert "deleted just now" in str(error)
"""


def test_a_directory_that_is_deleted_again_and_again_never_has_two_holders_nor_loses_a_file_of_one(tmp_path):
    job = Job({}, str(tmp_path))
    deleter = subprocess.Popen([sys.executable, "-c", DELETER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert deleter.stdout.readline() == "ready\n"
        trainers = [subprocess.Popen([sys.executable, "-c", TRAINER, job.output_dir]) for _ in range(3)]
        assert [trainer.wait() for trainer in trainers] == [0] * 3
        assert deleter.poll() is None
    finally:
        deleter.kill()
        deleter.communicate()
