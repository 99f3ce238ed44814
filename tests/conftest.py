"""Settings of the whole suite."""

from hypothesis import settings

# Machines that run tests are shared: an example's wall time says nothing.
settings.register_profile("tuckprune", deadline=None)
settings.load_profile("tuckprune")
