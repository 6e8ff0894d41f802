"""Settings of the whole suite."""

import functools
import importlib.util
import shutil
import subprocess

import pytest
import torch
from hypothesis import settings

# Machines that run the tests are busy: a slow example is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    if item.get_closest_marker("slurm") and (missing := missing_for_slurm()):
        pytest.skip(missing)


@functools.cache
def missing_for_slurm() -> str:
    """What the tests of the Slurm launcher lack here; empty if nothing."""
    if importlib.util.find_spec("submitit") is None:
        return "needs submitit"
    asked = shutil.which("sinfo") and subprocess.run(
        ["sinfo", "--noheader", "--states=idle,mix,alloc"], capture_output=True
    )
    return "" if asked and asked.stdout else "needs a running Slurm: .ci/slurm start"


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory):
    """A cache of the tests' own, so that they neither find nor leave anything in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
