"""Trackers hold exactly the trials that are settled, once each, and never end a search."""

import pytest

from compress.errors import ConfigError
from compress.parameters import CompressionParameters
from search.driver.listeners.tracker import metrics_of, settings_of
from search.driver.listeners.trackers import Tracking, check_trackers, trackers
from search.runs.run_folder import RunFolder
from tests.search.driver.listeners import records
from tests.search.driver.listeners.records import COST
from tests.search.fixtures.runs import config
from zoo.tasks.metric import Metric, Score

PARAMETERS = CompressionParameters({"add": 0.5, "block.conv1": 0.25}, {"conv2": (4, 6)})


def record(number, **changes):
    return records.record(number, **{"parameters": PARAMETERS, **changes})


class Kept:
    """A tracker in memory."""

    place = "memory"

    def __init__(self, *known, fail=None):
        self.held, self.fail, self.asked = list(known), fail, 0

    def known(self):
        return set(self.held)

    def add(self, settled):
        self.asked += 1
        if self.fail is not None:
            raise self.fail
        self.held.append(settled.source)


def test_a_trial_is_flat_figures_and_settings():
    assert settings_of(record(0)) == {
        "add.ratio": 0.5,
        "block.conv1.ratio": 0.25,
        "conv2.in_rank": 4.0,
        "conv2.out_rank": 6.0,
    }
    costs = {"flops": COST.flops, "params": COST.params}
    assert metrics_of(record(0)) == {"accuracy": 0.5, "loss": 1.25, **costs, "seconds": 2.0}
    assert metrics_of(record(0, state="infeasible", score=None, seconds=None)) == costs
    assert (
        metrics_of(record(0, metric=Metric("F1Score"), score=Score({"accuracy": 0.5, "loss": 1.25, "F1Score": 0.75})))[
            "F1Score"
        ]
        == 0.75
    )


def test_what_was_settled_before_is_handed_over_once():
    kept, said = Kept("trial 1"), []
    tracking = Tracking(kept, said.append)
    tracking.started(9, [record(0), record(1), record(2, stage="prune")])
    tracking.settled(record(3))
    assert (kept.held, said) == (["trial 1", "trial 0", "prune trial 2", "trial 3"], [])


def test_a_failure_is_told_once_and_without_its_password():
    kept, said = Kept(fail=OSError("no answer from https://me:secret@host/api")), []
    tracking = Tracking(kept, said.append)
    for number in range(3):
        tracking.settled(record(number))
    tracking.started(9, [record(0)])
    assert (kept.asked, len(said)) == (1, 1)
    assert said[0].startswith("memory has failed (OSError: no answer from https://me:***@host/api); the search goes on")


def test_a_missing_library_is_refused_with_its_extra(monkeypatch):
    monkeypatch.setattr(
        "search.driver.listeners.trackers.find_spec", lambda name: None if name == "mlflow" else object()
    )
    check_trackers(["tensorboard"])
    with pytest.raises(ConfigError, match=r"expected mlflow to be installed, .* pip install 'tuckprune\[mlflow\]'"):
        check_trackers(["tensorboard", "mlflow"])


def test_none_is_made_unasked(tmp_path):
    run = config(tmp_path)
    assert trackers(run, RunFolder.of(run).path, print) == []
