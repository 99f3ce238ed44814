"""Settings of the whole suite."""

import os

from hypothesis import settings

import search  # noqa: F401  before TensorFlow, for the environment that it needs

# What a command prints depends neither on the terminal nor on the continuous integration that runs the tests.
os.environ.update(COLUMNS="200", PYTHONUTF8="1")
for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "NO_COLOR", "PY_COLORS", "TERMINAL_WIDTH", "TTY_COMPATIBLE"):
    os.environ.pop(name, None)

# Machines that run tests are shared: an example's wall time says nothing.
settings.register_profile("tuckprune", deadline=None)
settings.load_profile("tuckprune")
