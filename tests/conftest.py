"""Settings of the whole suite."""

import pytest
from hypothesis import settings

# Machines that run the tests are busy: a slow example is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory):
    """A cache of the tests' own, so that they neither find nor leave anything in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
