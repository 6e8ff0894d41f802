"""Settings of the whole suite."""

import functools
import importlib.util
import re
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
    asked = shutil.which("scontrol") and subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True)
    ours = asked and re.search(
        r"^ClusterName\s*= domainbed-ci$", asked.stdout, re.MULTILINE
    )  # no cluster of other people
    return "" if ours else "needs the Slurm that `.ci/slurm start` starts, as root on Debian"


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory):
    """A cache of the tests' own, so that they neither find nor leave anything in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
