"""Settings of the whole suite."""

from hypothesis import settings

import search  # noqa: F401  before TensorFlow, for the environment that it needs

# Machines that run tests are shared: an example's wall time says nothing.
settings.register_profile("tuckprune", deadline=None)
settings.load_profile("tuckprune")
