"""What benchmarks compute from what they measure."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import steps


def test_the_hours_of_a_run_are_those_of_its_steps_evaluations_and_searches():
    """PACS: 5,001 updates of three domains; 9,991 images at steps 0, 300, ..., 4800 and 5000, which are 18 times."""
    row = {"step_seconds": 0.5, "evaluated_per_second": 100}
    expected = 5001 * 0.5 + 18 * 9_991 / 100
    assert 3600 * steps.hours(row, "PACS") == pytest.approx(expected)
    assert 3600 * steps.hours(row | {"candidate_seconds": 2}, "PACS") == pytest.approx(expected + 101 * 250 * 2)
