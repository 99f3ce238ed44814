"""One run killed at random moments, again and again: it ends as if it had never been disturbed.

Most of its drivers search on a cluster that outlives them; every fourth has one of its own, which goes with it, and
starts as users' do, with another order of everything that Python hashes.
"""

import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from search.runs.outcome import find_run
from search.study.trial_record import TrialRecord
from tests.faults.driver import NODE, Driver, search, small_run

CYCLES, TRIALS, OWN_CLUSTER = 20, 60, 4
MOST_LINES, MOST_SECONDS = 3, 0.2
RESULTS = "TUCKPRUNE_FAULT_RESULTS"
"""Environment variable: a file for the figures."""

# In `make test-faults` one process kills this run, and another one does everything else meanwhile.
pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("kills")]


@dataclass
class Killed:
    """A run, how often its driver was killed, and how often each trial was told as finished."""

    folder: Path
    kills: int = 0
    told: Counter[int] = field(default_factory=Counter)

    @property
    def trials(self) -> list[TrialRecord]:
        return find_run(self.folder).trials


def search_through_kills(config: Path, cycles: int, address: str) -> Killed:
    """Kill the driver so often, each time a moment after it said a few lines, then let it finish."""
    run, chance = Killed(config.parent / "runs" / "run"), random.Random(0)
    for cycle in range(cycles + 1):
        lines, patience = chance.randint(0, MOST_LINES), chance.uniform(0, MOST_SECONDS)
        own = cycle % OWN_CLUSTER == 0
        with search(config, *(() if own else ("--address", address)), cold=own) as driver:
            assert driver.stdout is not None
            for line in driver.stdout:
                if "] trial " in line:
                    run.told[int(line.partition("] trial ")[2].partition(":")[0])] += 1
                lines -= 1
                if lines < 0 and cycle < cycles:
                    _kill_after(driver, patience)
                    run.kills += 1
                    break
            else:
                assert driver.wait() == 0 and cycle == cycles
    return run


def _kill_after(driver: Driver, seconds: float) -> None:
    try:
        driver.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(driver.pid, signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Killed, Killed]]:
    """The killed run, and the same undisturbed."""
    home = tmp_path_factory.mktemp("kills")
    proxy = {"recalibration_images": 64, "steps": 2, "batch_size": 32}
    killed, whole = (
        small_run(home / name, TRIALS, proxy, finals=1, sensitivity=True, workers=1) for name in ("killed", "whole")
    )
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    with ThreadPoolExecutor() as beside:
        undisturbed = beside.submit(search_through_kills, whole, 0, "")
        yield search_through_kills(killed, CYCLES, cluster.address), undisturbed.result()
    cluster.shutdown()


def test_nothing_is_lost_and_nothing_is_done_twice(runs):
    run, _ = runs
    finished = [trial.number for trial in run.trials if trial.state == "complete"]
    figures = {
        "cycles": run.kills,
        "planned": TRIALS,
        "finished": len(finished),
        "lost": len(set(range(TRIALS)) - set(finished)),
        "duplicated": len(finished) - len(set(finished)) + sum(count - 1 for count in run.told.values() if count > 1),
    }
    if RESULTS in os.environ:
        Path(os.environ[RESULTS]).write_text(json.dumps(figures) + "\n", encoding="utf-8")
    assert figures == {"cycles": CYCLES, "planned": TRIALS, "finished": TRIALS, "lost": 0, "duplicated": 0}


def test_the_run_is_the_undisturbed_one(runs):
    """With one worker, trial by trial: proposals, figures, and the winner of the finals."""
    killed, whole = ([(one.number, one.parameters, one.score) for one in run.trials] for run in runs)
    assert killed == whole
    winners = [find_run(run.folder).winner for run in runs]
    assert winners[0].parameters == winners[1].parameters and winners[0].source == winners[1].source
