"""A real driver in a process of its own, of a small run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from tests.search.fixtures.nets import tiny
from tests.search.fixtures.runs import environment, tuckprune, written

SLOW = {"recalibration_images": 64, "steps": 300, "batch_size": 32}
"""A proxy that takes seconds, so that faults arrive while trials run."""
NODE: dict[str, Any] = {
    "num_cpus": 1,
    "object_store_memory": 100_000_000,
    # No port that Ray itself would not choose: on one machine, only one cluster could have it.
    "include_dashboard": False,
    "dashboard_agent_listen_port": 0,
}
"""A node of a cluster of several on this machine, beside other clusters."""


def small_run(home: Path, trials: int, proxy: dict[str, Any], finals: int = 0, **search: Any) -> Path:
    """Its configuration, beside its model; no more than trials, where nothing else is asked for."""
    home.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    tiny().save(home / "tiny.keras")
    return written(
        home,
        search={"trials": trials, "sensitivity": False, "strategy": "joint", **search},
        proxy=proxy,
        finals={"candidates": finals},
        finetune={"epochs": 1},
    )


@contextmanager
def search(config: Path, *arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """The driver, with what it says on its standard output; killed if it is still there at the end."""
    with subprocess.Popen(
        tuckprune("search", config, *arguments),
        cwd=config.parent,
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as driver:
        try:
            yield driver
        finally:
            driver.kill()


@contextmanager
def stopped(driver: "subprocess.Popen[str]") -> Iterator[None]:
    """Nothing happens in the driver meanwhile."""
    driver.send_signal(signal.SIGSTOP)
    os.waitpid(driver.pid, os.WUNTRACED)
    try:
        yield
    finally:
        driver.send_signal(signal.SIGCONT)


def wait_for(driver: "subprocess.Popen[str]", text: str, times: int = 1) -> list[str]:
    """The lines up to the one that has the text in it for so many times."""
    assert driver.stdout is not None
    said = []
    for line in driver.stdout:
        said.append(line)
        times -= text in line
        if times == 0:
            return said
    raise AssertionError(f"expected {text!r}, received {''.join(said)}")


def rest(driver: "subprocess.Popen[str]", code: int = 0) -> str:
    """What it says to its end, with this exit code."""
    assert driver.stdout is not None
    said = driver.stdout.read()
    assert driver.wait() == code, said
    return said
