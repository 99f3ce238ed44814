"""Importance finds what decides, and says when it cannot."""

import optuna

from search.report.figures.importance import NEEDED, SHOWN, Importance, dimension_text, importance_of, importances
from search.space.space import suggested
from search.study.judgement import Judgement
from search.study.storage import find_study
from search.study.trial_record import describe, finish
from tests.search.report.report_runs import COST, PARAMETERS, made_up
from zoo.tasks.metric import Score


def study_of(trials, dimensions, front=False):
    """The first dimension alone decides."""
    directions = ["maximize", *(["minimize"] if front else [])]
    study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=1))
    for number in range(trials):
        trial = study.ask()
        wanted = suggested(trial, dimensions)
        describe(trial, PARAMETERS, COST, None)
        if front:
            trial.set_user_attr("allowed", 0.25 * (1 + number % 2))
        finish(study, trial, Judgement(Score({"accuracy": float(wanted[0]), "loss": 0.5}), 1.0))
    return study


DIMENSIONS = [f"keep:layer{number}" for number in range(60)]


def test_it_finds_the_dimension_that_decides():
    for front in (False, True):
        measured = importance_of(study_of(60, DIMENSIONS[:12], front))
        assert (measured.trials, len(measured.shares)) == (60, 12)
        assert next(iter(measured.shares)) == "keep:layer0"
        assert abs(sum(measured.shares.values()) - 1) < 1e-9
        assert measured.shares["keep:layer0"] > 2 * sorted(measured.shares.values())[-2]


def test_too_few_trials_have_none():
    assert importance_of(study_of(NEEDED - 1, DIMENSIONS[:3])) == Importance(NEEDED - 1, {})
    assert len(importance_of(study_of(NEEDED, DIMENSIONS[:3])).shares) == 3


def test_only_trials_of_the_last_rung_count(home):
    assert importance_of(find_study(made_up(home, trials=20), "run")) == Importance(14, {})


def test_the_figure_holds_the_most_important():
    shares = {name: 1 / (2 + number) for number, name in enumerate(DIMENSIONS)}
    (bars,) = importances(Importance(100, shares), "prune").data
    assert list(bars.y) == [f"layer{number} · ratio" for number in range(SHOWN)]
    assert list(bars.x) == list(shares.values())[:SHOWN]


def test_dimensions_are_called_by_their_meaning():
    names = ["keep:add_2", "rank_in:a:b", "rank_out:conv"]
    assert [dimension_text(name) for name in names] == ["add_2 · ratio", "a:b · In", "conv · Out"]
