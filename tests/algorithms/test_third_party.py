"""What other installed packages offer is found, and is no part of what is tested and documented here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = """
from domainbed.algorithms import ERM

class Elsewhere(ERM):
    def update(self, minibatches, unlabeled=None):
        raise RuntimeError("not ours to test")

class Doubled(ERM):
    @classmethod
    def wrap(cls, name, base):
        return type(name, (base,), {})

    @classmethod
    def hparam_space(cls, dataset):
        return {}
"""
ENTRY_POINTS = """
[domainbed.algorithms]
Elsewhere = elsewhere:Elsewhere
[domainbed.combinators]
Doubled = elsewhere:Doubled
"""


@pytest.fixture
def environment(tmp_path):
    """Environment variables with which an installed package offers an algorithm and a combinator."""
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (tmp_path / "elsewhere.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return os.environ | {"PYTHONPATH": str(tmp_path)}


def test_both_are_offered_by_name(environment):
    code = "from domainbed.algorithms import *; print(*algorithm_names(), *combinator_names())"
    names = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).split()
    assert {"Elsewhere", "Doubled"} <= set(names)


def test_tests_and_tables_of_this_repository_stay_as_they_are(environment):
    """All that concerns ERM, and all that would concern what the other package offers."""
    files = ["algorithms/test_every_algorithm.py", "algorithms/test_passes.py", "test_documentation.py"]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:xdist"]
    chosen = "Elsewhere or Doubled or has_a_row or table or (ERM and not _ERM and not ERM_ and not ERMPlusPlus)"
    done = subprocess.run(
        [*command, "-k", chosen, *(f"tests/{name}" for name in files)],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "test_every_algorithm_has_a_row PASSED" in done.stdout
    assert "test_the_table_of_algorithms_is_what_the_registry_says PASSED" in done.stdout
    assert "Elsewhere" not in done.stdout
    assert "Doubled" not in done.stdout
