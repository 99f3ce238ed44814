"""The status file during a search: of every study what its trials say, and not written more often than it is needed."""

import pytest

from compress.parameters import CompressionParameters
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners import status_writer
from search.driver.listeners.status_writer import StatusWriter
from search.study.finalist import Finalist, store
from search.study.standing import standing_of
from search.study.status_file import StatusFile
from search.study.storage import open_study
from tests.search.fixtures.fake_pool import FakePool, judged
from tests.search.fixtures.nets import cost, flops_budget, space
from zoo.tasks.metric import ACCURACY, Score

BUDGET = flops_budget(0.5 * cost("tiny").cost(CompressionParameters.none()).flops, "0.5")


def search(study, writer, trials, stop_after=None):
    driver = Driver(study, space("tiny"), BUDGET, DriverSettings(0, "random", trials, True))
    driver.run(FakePool(2, judged, stop_after=stop_after), writer)


def told(folder, *names):
    return StatusFile(folder).read(names, driver=False)


def test_it_tells_what_the_trials_say(tmp_path):
    """After an interruption, at the end of a resumed search, and with a finalist."""
    study = open_study(tmp_path, "run", "journal")
    with pytest.raises(KeyboardInterrupt):
        search(study, StatusWriter(tmp_path), 8, stop_after=3)
    assert told(tmp_path, "run") == ([standing_of(study)], 0.0)
    writer = StatusWriter(tmp_path)
    search(study, writer, 8)
    standings, age = told(tmp_path, "run")
    assert (standings, age) == ([standing_of(study)], 0.0) and standings[0].states == {"complete": 8}
    store(study, Finalist("trial 1", None, None, Score({"accuracy": 0.5}), 30.0, None, ACCURACY))
    assert told(tmp_path, "run") is None
    for listener in (writer, StatusWriter(tmp_path)):
        listener.stored(study, at_once=True)
        assert told(tmp_path, "run")[0][0].finalists == (30.0,)


def test_of_two_studies_each_keeps_its_own(tmp_path):
    first, second = (open_study(tmp_path, name, "journal") for name in ("first", "second"))
    writer = StatusWriter(tmp_path)
    for study in (first, second):
        writer.stored(study, at_once=True)
    for study, trials in ((first, 2), (second, 3)):
        search(study, writer, trials)
    standings, _ = told(tmp_path, "first", "second")
    assert standings == [standing_of(first), standing_of(second)]
    assert [standing.states for standing in standings] == [{"complete": 2}, {"complete": 3}]


def test_it_is_written_once_a_second_and_only_for_something_new(tmp_path, monkeypatch):
    now, writes = [100.0], []
    monkeypatch.setattr(status_writer.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(StatusFile, "write", lambda self, standings: writes.append(now[0]))
    study, writer = open_study(tmp_path, "run", "journal"), StatusWriter(tmp_path)
    for seconds, asks, at_once in ((0, 0, False), (0.5, 1, False), (0.6, 1, True), (5, 0, False), (6, 1, False)):
        now[0] = 100 + seconds
        for _ in range(asks):
            study.ask()
        writer.stored(study, at_once)
    assert writes == [100, 100.6, 106]
