"""Settings of the whole suite."""

import pytest
import torch
from hypothesis import settings

# Machines that run the tests are busy: a slow example is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
