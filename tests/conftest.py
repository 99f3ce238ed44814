"""Settings of the whole suite."""

import gc
import os

# Before NumPy is loaded. Its threads wait for each other in loops, which costs as much again as small kernels need, and
# the cores belong to the other processes that test.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The same of TensorFlow's, which read it when it is loaded.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

import search  # noqa: F401  before TensorFlow, for the environment that it needs

# What a command prints depends neither on the terminal nor on the continuous integration that runs the tests.
os.environ.update(COLUMNS="200", PYTHONUTF8="1")
for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "NO_COLOR", "PY_COLORS", "TERMINAL_WIDTH", "TTY_COMPATIBLE"):
    os.environ.pop(name, None)

# Machines that run tests are shared: an example's wall time says nothing.
settings.register_profile("tuckprune", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tuckprune")

GROUPS = {
    **{"run": "ray", "ray_cluster": "ray", "server": "servers", "shipped": "shipments", "whole": "staged"},
    **{"tables": "latencies", "measured": "latencies"},
}
"""What tests with one of these fixtures share is slow to make: with `pytest -n` a group stays in one process."""


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep groups together; the pages' whole runs come first, for no process to wait for them at the end."""
    items.sort(key=lambda item: item.path.parent.name != "tests")
    for item in items:
        group = next((GROUPS[name] for name in GROUPS if name in getattr(item, "fixturenames", ())), None)
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """What was imported stays: collecting garbage need not look at it in every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports do not draw: it takes seconds, and has a test of its own."""
    monkeypatch.setenv("BROWSER_PATH", "/no/browser")


@pytest.fixture
def local_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches of this process judge in it: they start no Ray, and no worker that loads TensorFlow once more."""
    from tests.search.fixtures.local_pool import use_local_pool  # with TensorFlow, which not every test needs

    use_local_pool(monkeypatch)


@pytest.fixture
def small_zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The zoo's `digits_resnet` with two blocks of few channels, for tests that train it."""
    from tests.search.fixtures.nets import use_small_zoo

    use_small_zoo(monkeypatch)
