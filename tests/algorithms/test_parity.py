"""Numbers recorded from the original: every update's report, the parameters afterwards, and logits."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[3] / "shared" / "parity" / "check.py"
needs_recordings = pytest.mark.skipif(not CHECK.exists(), reason="the recordings are not beside this checkout")


@needs_recordings
@pytest.mark.parametrize("what", ["algorithms", "gga"])
def test_recorded_numbers_are_reproduced(what):
    done = subprocess.run([sys.executable, CHECK, what], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
