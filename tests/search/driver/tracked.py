"""A study that trackers are told of: interrupted, resumed, with a trial that failed and one of very many values."""

from collections.abc import Callable

import optuna
import pytest

from compress.parameters import CompressionParameters
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.tracker import Tracker
from search.driver.listeners.trackers import Tracking
from search.study.judgement import Judgement
from search.study.trial_record import TrialRecord, records
from tests.search.fixtures.fake_pool import FakePool, judged
from tests.search.fixtures.nets import cost, flops_budget, space

HALF = flops_budget(0.5 * cost("tiny").cost(CompressionParameters.none()).flops, "0.5")


def tracked(tracker: Callable[[], Tracker]) -> list[TrialRecord]:
    """The trials of which trackers, a new one for each start, were told; whatever fails is an error here."""

    def judge(parameters: CompressionParameters | None) -> Judgement:
        assert parameters is not None
        return Judgement.failed(1.0, "no memory") if len(records(study)) == 1 else judged(parameters)

    def warn(line: str) -> None:
        raise AssertionError(line)

    study = optuna.create_study(direction="maximize")
    driver = Driver(study, space("tiny"), HALF, DriverSettings(3, "random", 5, True))
    with pytest.raises(KeyboardInterrupt):
        driver.run(FakePool(judge=judge, stop_after=3), Tracking(tracker(), warn))
    driver.run(FakePool(judge=judge), Tracking(tracker(), warn))
    return records(study)
