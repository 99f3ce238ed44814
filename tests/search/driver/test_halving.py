"""Who goes on, derived by hand."""

import pytest

from compress.errors import ConfigError
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.driver.rungs import Halving, Ladder
from search.study.judgement import Rung
from search.study.trial_record import TrialRecord
from zoo.tasks.metric import Score


def rung(score, loss=1.0):
    return Rung(30, Score({"accuracy": 0.5, "loss": loss}), score)


def decisions(halving, scores, index=0):
    return [halving.goes_on(index, rung(score)) for score in scores]


def test_one_in_three_of_those_before_goes_on():
    # Of 1 to 5 trials the best, of 6 to 8 the best two, of 9 the best three.
    scores = [5.0, 4.0, 6.0, 3.0, 5.5, 5.2, 5.8, 5.7, 5.75]
    on = [True, False, True, False, False, False, True, False, True]
    assert decisions(Halving(Ladder((30, 90)), ()), scores) == on


@pytest.mark.parametrize(("one_in", "on"), [(1, 9), (2, 1), (3, 1)])
def test_of_ever_worse_trials_only_the_first_goes_on(one_in, on):
    assert sum(decisions(Halving(Ladder((30, 90), one_in), ()), range(9, 0, -1))) == on


def test_of_ever_better_trials_all_go_on():
    assert all(decisions(Halving(Ladder((30, 90)), ()), range(9)))


def test_of_equals_the_lower_loss_is_ahead_then_the_earlier_one():
    halving = Halving(Ladder((30, 90)), ())
    assert [halving.goes_on(0, rung(0.5, loss)) for loss in (0.3, 0.4, 0.3, 0.2)] == [True, False, False, True]


def test_rungs_are_judged_apart_and_the_last_one_ends():
    halving = Halving(Ladder((30, 90, 270)), ())
    assert decisions(halving, [5.0, 6.0]) == [True, True]
    assert decisions(halving, [2.0, 1.0], index=1) == [True, False]
    assert decisions(halving, [9.0, 10.0], index=2) == [False, False]


def test_a_single_rung_ends_at_once():
    assert decisions(Halving(Ladder((30,)), ()), [1.0, 2.0]) == [False, False]


def record(*rungs, level=None):
    cost, parameters = Cost(1, 1, 4), CompressionParameters.none()
    return TrialRecord(
        0, "stopped", parameters, cost, Score({"accuracy": 0.5, "loss": 1.0}), 1.0, None, None, level=level, rungs=rungs
    )


def test_trials_of_before_count():
    before = [record(rung(5.0), rung(7.0)), record(rung(4.0)), record()]
    halving = Halving(Ladder((30, 90, 270)), before)
    assert decisions(halving, [4.5, 5.5]) == [False, True]
    assert decisions(halving, [6.0, 8.0], index=1) == [False, True]


def test_levels_of_a_front_are_judged_apart():
    halving = Halving(Ladder((30, 90)), [record(rung(5.0), level=0), record(rung(2.0), level=1)])
    assert [halving.goes_on(0, rung(score), level) for score, level in [(4.0, 0), (3.0, 1), (1.0, 2), (2.5, 1)]] == [
        *(False, True, True, False),
    ]


@pytest.mark.parametrize("steps", [(), (30, 30), (90, 30)])
def test_steps_that_do_not_rise_are_refused(steps):
    with pytest.raises(ConfigError, match="expected steps that rise from rung to rung"):
        Ladder(steps)


def test_a_factor_below_one_is_refused():
    with pytest.raises(ConfigError, match="expected an integer of at least 1, received 0"):
        Ladder((30, 90), 0)
