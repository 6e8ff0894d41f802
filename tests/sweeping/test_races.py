"""Two launches of one sweep at the same time, as real processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

from domainbed.reports.records import load_runs

LAUNCH = [
    sys.executable, "-m", "domainbed.scripts.sweep", "launch", "--skip_confirmation", "--device", "cpu",
    "--datasets", "Debug28", "--algorithms", "ERM", "--n_hparams", "1", "--n_trials", "1", "--single_test_envs",
    "--steps", "3", "--checkpoint_freq", "1", "--skip_model_save", "--hparams", '{"batch_size": 4}',
]  # fmt: skip


def launch(output_dir: Path, *more: str) -> subprocess.Popen:
    argv = [*LAUNCH, "--output_dir", str(output_dir), *more]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_sweep_and_one_that_resumes_it_train_every_job_once_and_both_succeed(tmp_path):
    """The second finds the jobs incomplete, since all directories are made at once, and launches them too."""
    out = tmp_path / "sweep"
    first = launch(out)
    while not (out.exists() and len(os.listdir(out)) == 3):
        assert first.poll() is None
        time.sleep(0.01)
    second = launch(out, "--resume_incomplete")
    for process in (first, second):
        printed, errors = process.communicate()
        assert process.returncode == 0, printed + errors
        assert "Failed" not in errors
    runs = load_runs(out)
    assert [run.complete for run in runs] == [True] * 3
    assert [[record["step"] for record in run.records] for run in runs] == [[0, 1, 2]] * 3
    assert [(run.path / "out.txt").read_text().count("HParams:") for run in runs] == [1] * 3
