"""A real driver on a real Ray cluster, stopped in every way: nothing is lost, nothing is done twice."""

import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.runs.outcome import find_run
from tests.search.driver.interrupted_run import TRIALS, processes
from tests.search.fixtures.runs import PATIENCE

RESUME = "Resume with: tuckprune search"


def complete(stopped):
    return {trial.number: trial.value for trial in stopped.trials if trial.state == TrialState.COMPLETE}


def test_an_interrupted_driver_says_how_to_resume(run):
    stopped = run.starts["SIGINT"]
    assert stopped.code == 130
    assert f"interrupted; nothing is lost. {RESUME} {run.config}" in stopped.output.splitlines()[-1]
    assert stopped.errors == ""
    states = {trial.state for trial in stopped.trials}
    assert TrialState.WAITING in states
    assert not states & {TrialState.RUNNING, TrialState.FAIL}


def test_a_killed_driver_leaves_its_running_trials(run):
    stopped = run.starts["SIGKILL"]
    assert stopped.code == -9
    assert RESUME not in stopped.output
    assert TrialState.RUNNING in {trial.state for trial in stopped.trials}


def test_finished_trials_stay_through_every_stop(run):
    result = [complete(stopped) for stopped in run.starts.values()]
    assert 1 <= len(result[0]) < len(result[1]) < TRIALS
    for before, after in zip(result, result[1:], strict=False):
        assert before.items() <= after.items()


def test_the_resumed_search_has_exactly_the_planned_trials(run):
    stopped = run.starts["finished"]
    assert stopped.code == 0
    assert stopped.errors == ""
    assert (
        f"searching: {TRIALS} trials, {len(complete(run.starts['SIGKILL']))} of them already settled" in stopped.output
    )
    trials = find_run(run.folder).trials
    assert [trial.number for trial in trials] == list(range(TRIALS))
    assert {trial.state for trial in trials} == {"complete"}
    # Distinct proposals: none was queued and run a second time under another number.
    assert len({tuple(sorted(trial.params.items())) for trial in stopped.trials[:TRIALS]}) == TRIALS


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_no_process_of_the_run_is_left(run):
    """The local cluster ends with its driver, also with a killed one."""
    assert run.starts["SIGKILL"].processes > 2
    deadline = time.monotonic() + PATIENCE
    while _left(run) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert _left(run) == []


def _left(run):
    # Ray's agents look for their node every half minute and go then.
    return [command for command in processes(run.home) if "Agent" not in command]
