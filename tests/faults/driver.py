"""A real driver in a process of its own, of a small run."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import psutil

from tests.search.fixtures.forked import Forked
from tests.search.fixtures.nets import tiny
from tests.search.fixtures.runs import command, environment, tuckprune, written

SLOW = {"recalibration_images": 64, "steps": 200, "batch_size": 32}
"""A proxy that takes seconds, so that faults arrive while trials run."""
NODE: dict[str, Any] = {
    "num_cpus": 1,
    "object_store_memory": 100_000_000,
    # No port that Ray itself would not choose: on one machine, only one cluster could have it.
    "include_dashboard": False,
    "dashboard_agent_listen_port": 0,
    # Ray's own 15 lets its workers starve beside the other process that tests.
    "env_vars": {"RAY_worker_niceness": "0"},
}
"""A node of a cluster of several on this machine, beside other clusters."""


def small_run(home: Path, trials: int, proxy: dict[str, Any], finals: int = 0, **search: Any) -> Path:
    """Its configuration, beside its model; no more than trials, where nothing else is asked for."""
    home.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    tiny().save(home / "tiny.keras")
    return written(
        home,
        search={"trials": trials, "early_stopping": None, "sensitivity": False, "strategy": "joint", **search},
        proxy=proxy,
        finals={"candidates": finals},
        finetune={"epochs": 1},
    )


Driver = Forked | subprocess.Popen[str]


@contextmanager
def search(config: Path, *arguments: str, cold: bool = False, **variables: str) -> Iterator[Driver]:
    """The driver, with what it says on its standard output; killed if it is still there at the end.

    cold: whether it loads the libraries itself, as users' do.
    """
    words, own = ("search", config, *arguments), environment() | variables
    driver = _cold(words, config.parent, own) if cold else Forked(command(*words), config.parent, own)
    assert driver.stdout is not None
    try:
        with driver.stdout:
            yield driver
    finally:
        driver.kill()
        driver.wait()


def _cold(words: tuple[object, ...], cwd: Path, variables: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        tuckprune(*words),
        cwd=cwd,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@contextmanager
def stopped(driver: Driver) -> Iterator[None]:
    """Nothing happens in the driver meanwhile."""
    process = psutil.Process(driver.pid)
    process.suspend()
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    try:
        yield
    finally:
        process.resume()


def wait_for(driver: Driver, text: str, times: int = 1) -> list[str]:
    """The lines up to the one that has the text in it for so many times."""
    assert driver.stdout is not None
    said = []
    for line in driver.stdout:
        said.append(line)
        times -= text in line
        if times == 0:
            return said
    raise AssertionError(f"expected {text!r}, received {''.join(said)}")


def rest(driver: Driver, code: int = 0) -> str:
    """What it says to its end, with this exit code."""
    assert driver.stdout is not None
    said = driver.stdout.read()
    assert driver.wait() == code, said
    return said
