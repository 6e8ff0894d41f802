"""Settings of the whole suite."""

from hypothesis import settings

# Machines that run the tests are busy: a slow example is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
