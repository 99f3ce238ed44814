"""A search that ends before all planned trials are settled, with a pool that needs no Ray."""

import pytest

from search.study.judgement import Judgement
from search.study.storage import open_study
from search.study.trial_record import records
from tests.search.driver.test_driver import driver
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.recorder import Recorder
from tests.search.fixtures.studies import memory
from zoo.tasks.metric import Score

pytestmark = pytest.mark.usefixtures("learning_at_once")


def scores(*accuracies):
    """Judges one candidate after the other, by the order in which they arrive."""
    given = iter(accuracies)
    return lambda parameters: Judgement(Score({"accuracy": next(given), "loss": 1.0}), 0.1)


def states(study):
    return [trial.state.name for trial in study.trials]


def test_a_search_ends_where_trials_bring_nothing_more():
    """One proposal is made ahead: the third was, before the second was known to be the best, and does not count."""
    study, pool, listener = memory(), FakePool(1, scores(0.1, 0.3, 0.2, 0.3, 0.1, 0.2)), Recorder()
    work = driver(study, early_stopping=3)
    work.run(pool, listener)
    assert states(study) == ["COMPLETE"] * 6 + ["WAITING"] and work.remaining == 0
    assert listener.notes == [
        "6 of 12 trials are enough: none of the 3 that were proposed after the best one is better "
        "(search.early_stopping: 3)"
    ]
    # It has ended for whoever comes again, unless more patience is asked for: then it goes on with what was ahead.
    assert driver(study, early_stopping=None).remaining == 6
    longer = driver(study, early_stopping=4)
    assert longer.remaining == 6
    longer.run(FakePool(1, scores(0.1)), listener)
    assert states(study) == ["COMPLETE"] * 7 + ["WAITING"] and longer.remaining == 0


def test_what_still_runs_at_the_end_may_have_a_search_go_on():
    """Two workers: the third and fourth no better ones are enough, but the sixth, which runs, is the best."""
    study, listener = memory(), Recorder()
    accuracies = [0.5, *[0.1] * 4, 0.9, *[0.1] * 4]
    work = driver(study, 30, early_stopping=2)
    work.run(FakePool(2, scores(*accuracies)), listener)
    assert [record.score.figures["accuracy"] for record in records(study)] == accuracies
    assert states(study)[10:] == ["WAITING"]
    assert listener.notes[0].startswith("10 of 30 trials are enough: none of the 3 that")


def test_all_planned_trials_are_settled_where_there_is_always_a_better_one():
    study, listener = memory(), Recorder()
    driver(study, early_stopping=1).run(FakePool(1, scores(*[n / 20 for n in range(12)])), listener)
    assert states(study) == ["COMPLETE"] * 12 and listener.notes == []


@pytest.mark.parametrize("interrupted", range(1, 9))
@pytest.mark.parametrize(
    ("workers", "patience", "accuracies"),
    [
        # Two workers: the sixth, which runs when two were no better, is the best.
        (2, 2, [0.5, *[0.1] * 4, 0.9, *[0.1] * 6]),
        # Eight: seven others were proposed before the best one was known, and one ahead.
        (8, 8, [0.9, *[0.1] * 23]),
    ],
)
def test_an_interruption_changes_nothing(tmp_path, interrupted, workers, patience, accuracies):
    """What workers had is judged, and what was proposed before the best one was known never counts."""
    whole = memory()
    driver(whole, 60, early_stopping=patience).run(FakePool(workers, scores(*accuracies)), Recorder())
    judge, name = scores(*accuracies), "interrupted"
    study = open_study(tmp_path, name, "journal")
    with pytest.raises(KeyboardInterrupt):
        pool = FakePool(workers, judge, stop_after=interrupted)
        driver(study, 60, early_stopping=patience).run(pool, Recorder())
    study = open_study(tmp_path, name, "journal")
    resumed = driver(study, 60, early_stopping=patience)
    assert resumed.remaining == 60 - interrupted
    resumed.run(FakePool(workers, judge), Recorder())
    assert states(study) == states(whole) and resumed.remaining == 0
    assert [one.score for one in records(study)] == [one.score for one in records(whole)]
