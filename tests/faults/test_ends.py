"""Ends that a scheduler, a user or a disk brings about."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from optuna.trial import TrialState

from search.study.storage import JOURNAL_FILE
from tests.faults.driver import SLOW, rest, search, small_run, stopped, wait_for
from tests.search.fixtures.runs import environment
from tests.search.fixtures.studies import run_states

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("others")]

ONE_WORKER = ("--set", "search.workers=1")


def test_sigterm_lets_running_trials_finish(tmp_path):
    config = small_run(tmp_path, 8, SLOW, workers=2, grace=300)
    with search(config) as driver:
        wait_for(driver, "] trial ", 2)
        # Both workers have their next trials, and one is made ahead.
        while run_states(tmp_path).count(TrialState.RUNNING) < 3:
            time.sleep(0.1)
        driver.send_signal(signal.SIGTERM)
        said = rest(driver, code=130)
    assert "nothing is lost. Resume with: tuckprune search" in said.splitlines()[-1]
    told = said.count("] trial ")
    assert told >= 1
    # All that had begun is told, and the one that was made ahead waits.
    assert run_states(tmp_path) == [TrialState.COMPLETE] * (2 + told) + [TrialState.WAITING]
    with search(config, *ONE_WORKER) as driver:
        assert f"8 trials, {2 + told} of them already settled" in rest(driver)
    assert run_states(tmp_path) == [TrialState.COMPLETE] * 8


def test_sigterm_waits_no_longer_than_it_may(tmp_path):
    endless = SLOW | {"steps": 1_000_000}
    config = small_run(tmp_path, 4, endless, workers=1, grace=0.5)
    with search(config) as driver:
        wait_for(driver, "searching: ")
        journal = tmp_path / "runs" / "run" / JOURNAL_FILE
        while b"conv2" not in journal.read_bytes():
            time.sleep(0.1)
        # The worker has the trial soon after its proposal is kept.
        time.sleep(1)
        driver.send_signal(signal.SIGTERM)
        assert "nothing is lost" in rest(driver, code=130)
    assert TrialState.COMPLETE not in run_states(tmp_path)


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path):
    config = small_run(tmp_path, 5, SLOW, workers=1)
    journal = tmp_path / "runs" / "run" / JOURNAL_FILE
    with search(config) as driver:
        wait_for(driver, "] trial ", 2)
        # No file of the driver may grow beyond this: to it the disk is full in the midst of the next line.
        with stopped(driver):
            size = journal.stat().st_size + 100
            resource.prlimit(driver.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        said = rest(driver, code=1)
    assert f"error: the study '{journal}' cannot be written (File too large); what it holds is safe" in said
    assert "Traceback" not in said
    assert journal.stat().st_size == size
    with search(config) as driver:
        rest(driver)
    assert run_states(tmp_path) == [TrialState.COMPLETE] * 5


def test_a_second_driver_is_refused(tmp_path):
    config = small_run(tmp_path, 4, SLOW, workers=1)
    with search(config) as driver:
        wait_for(driver, "] trial ", 1)
        with stopped(driver), search(config) as second:
            assert "is in use by another tuckprune process" in rest(second, code=1)
        rest(driver)
    assert run_states(tmp_path) == [TrialState.COMPLETE] * 4
    assert os.path.getsize(tmp_path / "runs" / "run" / JOURNAL_FILE) > 0


@contextmanager
def started_ray() -> Iterator["subprocess.Popen[bytes]"]:
    """A driver that has started Ray and waits."""
    code = (
        "from search.workers.cluster import cluster\nwith cluster(None, 1, 1.0): print('started', flush=True), input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as driver:
        assert driver.stdout is not None and driver.stdout.readline() == b"started\n"
        yield driver
        driver.kill()


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_the_next_search_ends_what_a_killed_driver_left():
    """Ray's agents, which wait for an answer of a server that has died with its driver."""
    with started_ray() as driver:
        processes = psutil.Process(driver.pid).children(recursive=True)
        assert {"gcs_server", "raylet"} <= {process.name() for process in processes}
    with started_ray():
        assert running(processes) == []
