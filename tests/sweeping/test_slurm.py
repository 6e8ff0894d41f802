"""The Slurm launcher on a real Slurm of one node, which `.ci/slurm start` starts."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import SMALL
from running.tiny_runs import read, untimed

from domainbed.errors import InputError
from domainbed.sweeping.launchers import Command, slurm, slurm_launcher, slurm_queue

pytestmark = pytest.mark.slurm

# The first three runs that come to their third update stay in it, each known by a file that holds its Slurm job.
PAUSING = """if True:
    import itertools, os, time
    from domainbed.algorithms import ERM

    updates = itertools.count(1)

    class Pausing(ERM):
        def update(self, minibatches, unlabeled=None):
            if next(updates) == 3 and "PAUSES" in os.environ:
                for number in range(3):
                    try:
                        file = open(os.path.join(os.environ["PAUSES"], str(number)), "x")
                    except FileExistsError:
                        continue
                    with file:
                        file.write("{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}".format(**os.environ))
                    time.sleep(600)
            return super().update(minibatches, unlabeled)
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Installs the algorithm Pausing for child processes. Gives the directory of its files."""
    pauses, plugin = tmp_path / "pauses", tmp_path / "plugin"
    package = plugin / "pausing-1.dist-info"
    for directory in (pauses, plugin, package):
        directory.mkdir()
    (plugin / "pausing.py").write_text(PAUSING)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: pausing\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[domainbed.algorithms]\nPausing = pausing:Pausing\n")
    monkeypatch.setenv("PYTHONPATH", str(plugin), prepend=os.pathsep)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return pauses


SLURM_SWEEP = [
    sys.executable, "-m", "domainbed.scripts.sweep", "--command_launcher", "slurm",
    "--slurm", "time=1", "grace=4", "cpus-per-task=1", "--follow",
]  # fmt: skip
# A sweep all in one process, which imports PyTorch once.
LOCAL_SWEEP = """if True:
    import sys
    from domainbed.scripts import sweep, train
    from domainbed.sweeping.launchers import REGISTRY
    REGISTRY["here"] = lambda commands: [train.main(command.argv[3:]) for command in commands]
    sys.exit(sweep.main([*sys.argv[1:], "--command_launcher", "here"]))
"""


def sweep(output_dir: Path, *more: str) -> list[str]:
    hparams = json.dumps(SMALL | {"batch_size": 4})
    return [
        "launch", "--skip_confirmation", "--device", "cpu",
        "--datasets", "Debug28", "--algorithms", "Pausing", "--n_hparams", "2", "--n_trials", "2", "--single_test_envs",
        "--steps", "6", "--checkpoint_freq", "1", "--skip_model_save", "--hparams", hparams,
        "--output_dir", str(output_dir), *more,
    ]  # fmt: skip


def wait_for(condition, seconds: float):
    """The first true value of the condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return value


def paused(pauses: Path, number: int) -> str:
    """The Slurm job of the run that stays in its update."""
    path = pauses / str(number)
    return wait_for(lambda: path.exists() and path.read_text(), 100)


def active(array: str) -> list[str]:
    queue = slurm_queue.read_queue()
    return [job for job, (state, _) in queue.items() if job.startswith(array) and state not in slurm_queue.ENDED]


def done(output_dir: Path) -> list[str]:
    return sorted(path.parent.name for path in output_dir.glob("*/done"))


def table(output_dir: Path) -> str:
    argv = [sys.executable, "-m", "domainbed.scripts.collect_results", "--input_dir", str(output_dir)]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "Pausing" in printed
    return printed.replace(str(output_dir), "")


NOTE = "import os, sys; open(sys.argv[1], 'w').write(os.environ['OMP_NUM_THREADS']); sys.exit(int(sys.argv[2]))"
LAST = "import os, sys; os.kill(os.getpid(), 9 if len(os.listdir(sys.argv[1])) == 3 else 15)"  # two notes and .slurm


def test_commands_in_a_directory_of_any_name_run_on_the_cpus_of_their_job_and_their_exit_codes_come_back(
    tmp_path, monkeypatch
):
    """The last command is in an array of its own, which begins when the others have ended."""
    monkeypatch.setattr(slurm_queue, "POLL_SECONDS", 1)
    monkeypatch.setattr(slurm, "_largest_array", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    directory = tmp_path / 'it\'s 50% \\of "the" $HOME\nand `date`'
    directory.mkdir()
    scripts = [
        ["-c", NOTE, str(directory / "0"), "3"],
        ["-c", NOTE, str(directory / "1"), "0"],
        ["-c", LAST, str(directory)],
    ]
    commands = [Command(["python", "-S", *words]) for words in scripts]
    codes = slurm_launcher(commands, output_dir=str(directory), slurm=["time=1", "grace=4"], follow=True)
    assert codes == [3, 0, 128 + 9]
    assert [(directory / name).read_text() for name in "01"] == ["1", "1"]
    assert (directory / ".slurm").stat().st_mode & 0o077 == 0


def test_what_slurm_refuses_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^Slurm took 0 of 1 jobs, and then refused: .*invalid partition") as refused:
        slurm_launcher([Command(["python"])], output_dir=str(tmp_path), slurm=["partition=none"])
    assert "\n" not in str(refused.value)


def test_a_sweep_whose_jobs_are_requeued_cancelled_and_timed_out_ends_like_a_local_one(environment, tmp_path):
    there, here, pauses = tmp_path / "there", tmp_path / "here", environment
    follower = subprocess.Popen(
        [*SLURM_SWEEP, *sweep(there)], env={**os.environ, "PAUSES": str(pauses)}, stderr=subprocess.PIPE, text=True
    )
    subprocess.run(["scontrol", "requeue", paused(pauses, 0)], check=True)
    cancelled = paused(pauses, 1)
    follower.terminate()  # the script takes it for Ctrl-C, which processes in the background may ignore
    subprocess.run(["scancel", cancelled], check=True)
    assert "the jobs go on" in follower.communicate(timeout=60)[1]
    assert follower.returncode == 0
    timed_out, array = paused(pauses, 2), cancelled.partition("_")[0]
    assert timed_out in active(array)
    wait_for(lambda: not active(array), 300)
    log = (there / ".slurm" / f"{timed_out}_0_log.err").read_text()
    assert "this job is timed-out" in log
    assert len(done(there)) == 11

    argv = [*SLURM_SWEEP, *sweep(there, "--resume_incomplete")]
    follower = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert follower.returncode == 0, follower.stderr
    assert "About to launch 1 jobs." in follower.stdout
    subprocess.run([sys.executable, "-c", LOCAL_SWEEP, *sweep(here)], check=True, capture_output=True)
    assert done(there) == done(here)
    assert len(done(here)) == 12
    assert all(untimed(read(there / name)) == untimed(read(here / name)) for name in done(here))
    assert table(there) == table(here)
