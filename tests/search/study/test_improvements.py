"""How many trials came after the best one without being better, by hand."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.improvements import Improvements
from search.study.trial_record import TrialRecord
from zoo.tasks.metric import Score

pytestmark = pytest.mark.usefixtures("learning_at_once")

NOON = datetime(2026, 1, 1, 12)


def trial(began, ended, accuracy, level=None, loss=1.0):
    """A trial that was proposed and settled so many seconds after noon."""
    score = None if accuracy is None else Score({"accuracy": accuracy, "loss": loss})
    made = TrialRecord(
        began, "complete", CompressionParameters.none(), Cost(1, 1, 4), score, 1.0, None, None, level=level
    )
    return replace(made, began=NOON + timedelta(seconds=began), ended=NOON + timedelta(seconds=ended))


def since(*trials):
    counts = {Improvements(order).since for order in itertools.permutations(trials)}
    assert len(counts) == 1  # In whatever order they are given.
    return counts.pop()


def test_trials_count_that_are_no_better():
    assert Improvements().since == 0
    assert since(trial(0, 1, 0.5)) == 0
    assert since(trial(0, 1, 0.5), trial(1, 2, 0.4), trial(2, 3, 0.5)) == 2
    assert since(trial(0, 1, 0.5), trial(1, 2, 0.4), trial(2, 3, 0.6)) == 0
    # Of equals that is better which has the lower loss.
    assert since(trial(0, 1, 0.5), trial(1, 2, 0.5, loss=0.9)) == 0


def test_failed_ones_do_as_well_once_there_is_a_best():
    assert since(trial(0, 1, None), trial(1, 2, None)) == 0
    assert since(trial(0, 1, 0.5), trial(1, 2, None)) == 1


def test_what_was_never_judged_does_not_count():
    """Without projection most proposals may be over the budget, and each costs nothing."""
    rejected = replace(trial(1, 2, None), state="infeasible")
    assert since(trial(0, 1, 0.5), rejected, trial(2, 3, 0.4)) == 1


def test_what_was_proposed_before_the_best_was_known_does_not_count():
    """Three workers: the best is settled while two others run; the last one is proposed after it."""
    assert since(trial(0, 4, 0.5), trial(1, 5, 0.4), trial(2, 6, 0.4)) == 0
    assert since(trial(0, 4, 0.5), trial(1, 5, 0.4), trial(2, 6, 0.4), trial(4, 7, 0.3)) == 1


def test_every_budget_of_a_front_has_its_own_best():
    assert since(trial(0, 1, 0.9, level=1), trial(1, 2, 0.5, level=0)) == 0
    assert since(trial(0, 1, 0.9, level=1), trial(1, 2, 0.5, level=0), trial(2, 3, 0.8, level=1)) == 1


def test_one_after_the_other_counts_as_all_at_once():
    trials = [trial(n, n + 3, accuracy) for n, accuracy in enumerate([0.1, None, 0.3, 0.2, 0.3, 0.1, 0.25])]
    counting = Improvements()
    counts = [counting.since for one in trials if counting.add(one) is None]
    assert counts == [Improvements(trials[:n]).since for n in range(1, 8)] == [0, 0, 0, 0, 0, 1, 2]


def test_starts_and_the_first_ten_proposals_learn_nothing(monkeypatch):
    """Of 16 trials the first is the best; two are starts, one is over the budget, and the next ten are random."""
    monkeypatch.undo()
    trials = [trial(n, n + 1, 0.9 - n / 100) for n in range(16)]
    trials[:2] = [replace(one, start="uniform") for one in trials[:2]]
    trials[2] = replace(trials[2], state="infeasible", score=None)
    assert [Improvements(trials[:n]).since for n in (13, 14, 16)] == [0, 1, 3]
