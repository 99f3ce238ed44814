"""How a study stands, counted trial by trial, written and read again."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import optuna
import pytest

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.ranking import select_finalists
from search.study.standing import RECENT, BestTrial, Standing, Tally
from search.study.trial_record import TrialRecord
from zoo.tasks.metric import Score

BEGAN = datetime(2026, 1, 1)


def record(number, accuracy, ratio=None, **changes):
    """A trial that was settled in the second of its number."""
    parameters = CompressionParameters({"conv": number / 1000 if ratio is None else ratio}, {})
    score = None if accuracy is None else Score({"accuracy": accuracy, "loss": 1.0})
    state = "failed" if accuracy is None else "complete"
    made = TrialRecord(number, state, parameters, Cost(1000 + number, 1, 4), score, 1.0, None, None)
    return replace(made, ended=BEGAN + timedelta(seconds=number), worker=f"node:{number % 2}", **changes)


def test_a_tally_by_hand():
    """The third of four equals the first in its values, the second failed after it had lost two workers."""
    tally = Tally([record(0, 0.5, 0.25), record(1, None, lost=("died", "died"))])
    for one in (record(2, 0.7, 0.25), record(3, 0.6)):
        tally.add(one)
    study = optuna.create_study()
    running = study.ask()
    study.enqueue_trial({})
    standing = tally.standing(study)
    assert (standing.states, standing.lost, standing.judged, standing.levels) == ({"complete": 3, "failed": 1}, 2, 2, 1)
    assert standing.best == BestTrial(2, "trial 2", Score({"accuracy": 0.7, "loss": 1.0}), 1002)
    assert standing.recent == tuple((BEGAN + timedelta(seconds=n), f"node:{n % 2}") for n in range(4))
    assert (list(standing.running), standing.waiting, standing.finalists) == ([running.number], 1, ())
    kept = json.loads(json.dumps(standing.stored()))
    assert Standing.restored(kept) == standing


def test_of_equals_the_first_is_the_best_whatever_ended_first():
    for order in ((0, 1), (1, 0)):
        assert Tally(record(number, 0.5) for number in order).standing(optuna.create_study()).best.number == 0


def test_the_latest_are_by_their_end():
    """Trials end in another order than they begin: here the first ends last."""
    trials = [record(number, 0.5) for number in range(1, 50)]
    tally = Tally([replace(record(0, 0.5), ended=BEGAN + timedelta(seconds=1000)), *trials])
    recent = tally.standing(optuna.create_study()).recent
    ends = [*range(50 - RECENT + 1, 50), 1000]
    assert [(ended - BEGAN).total_seconds() for ended, _ in recent] == ends


@pytest.mark.parametrize("places", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("levels", [[None] * 6, [0, 1, 2, 0, 1, 2]])
def test_it_counts_as_many_finalists_as_are_chosen(places, levels):
    """Of six trials two equal others, and the last one is the sweep's."""
    ratios = [0.1, 0.2, 0.3, 0.1, 0.2, 0.6]
    trials = [
        record(n, 0.5 - n / 100, ratio, level=level)
        for n, (ratio, level) in enumerate(zip(ratios, levels, strict=True))
    ]
    trials[-1] = replace(trials[-1], start="sensitivity")
    standing = Tally(trials).standing(optuna.create_study())
    assert min(max(places, standing.levels), standing.judged) == len(select_finalists(trials, places))
