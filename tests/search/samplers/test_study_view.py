"""What the layered sampler is told of a run."""

from dataclasses import replace

import numpy as np
import optuna
import pytest

from compress.graph.analysis import analyse
from compress.graph.naming import LAST_SUFFIX
from compress.parameter_files.json_format import loads
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.budget.budget import Limit
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import FLOPS
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.samplers.sensitivity import Loss, Sensitivity
from search.samplers.study_view import StudyView, cost_shares
from search.space.levels import Levels
from search.space.projection import Projection
from search.space.space import SearchSpace
from search.space.space_arrays import SpaceSettings
from search.study.trial_record import COST, PARAMETERS
from tests.search.fixtures.fake_pool import FakePool, judged
from tests.search.fixtures.nets import PRUNE_FIRST, cost, flops_budget, model, space

SPACE = space("tiny", PRUNE_FIRST)
ORIGINAL = cost("tiny").cost(CompressionParameters.none())
BUDGET = flops_budget(0.4 * ORIGINAL.flops, "0.4")
LEVELS = Levels.between(BUDGET, Limit(FLOPS, 0.8 * ORIGINAL.flops, "0.8"), 3, ORIGINAL)


def searched(levels=None, trials=14):
    study = optuna.create_study(directions=["maximize", "minimize"] if levels else ["maximize"])
    driver = Driver(study, SPACE, BUDGET, DriverSettings(0, "layered", trials, True), levels)
    driver.run(FakePool(2, judged), Listener())
    return study


def test_cost_shares_by_hand():
    """The cost is 3a + b: a step more of a costs three times as much, on average of both 1."""
    shares = cost_shares(lambda rows: rows @ np.array([3.0, 1.0]) - 2, np.array([[0.4, 0.4]]))
    np.testing.assert_allclose(shares, [1.5, 0.5])


def test_where_nothing_costs_anything_all_cost_alike():
    np.testing.assert_array_equal(cost_shares(lambda rows: np.zeros(len(rows)), np.full((1, 3), 0.5)), np.ones(3))


def test_guesses_of_what_is_lost():
    """Alike, as they cost, and as a sweep measured."""
    prior = StudyView(SPACE, BUDGET).prior
    assert prior.weights.shape == prior.powers.shape == (2, len(SPACE.dimensions))
    np.testing.assert_allclose(prior.weights.mean(axis=1), 1)
    assert (prior.weights >= 0).all() and prior.weights[1].std() > 0.1 and (prior.powers == 2).all()
    sensitivity = Sensitivity({name: Loss(0.01 * n, 0.5, 3.0) for n, name in enumerate(SPACE.dimensions, 1)})
    measured, own = StudyView(SPACE, BUDGET, sensitivity=sensitivity).prior, sensitivity.prior(SPACE.dimensions)
    np.testing.assert_array_equal(measured.weights, np.concatenate([prior.weights, own.weights]))
    np.testing.assert_array_equal(measured.powers, np.concatenate([prior.powers, own.powers]))
    assert measured.rest == own.rest != prior.rest


@pytest.mark.parametrize("levels", [None, LEVELS], ids=["one budget", "front"])
def test_what_trials_kept_is_what_they_were_judged_with(levels):
    study, view = searched(levels), StudyView(SPACE, BUDGET, levels)
    for trial in study.trials:
        parameters = loads(trial.user_attrs[PARAMETERS]).parameters
        expected = SPACE.arrays.fractions(*SPACE.cost.candidate(parameters))[0]
        np.testing.assert_array_equal(view.kept(trial), expected)
        assert view.score(trial) == trial.values[0]


def test_of_a_second_stage_only_its_own_values_count():
    """Pruning of a decomposed model: its groups are named after the last part, and trials hold the ranks as well."""
    before = CompressionParameters({}, {"block.conv1": (4, 6)})
    middle = CostModel(analyse(apply_parameters(model("tiny"), before, ("decompose",))))
    pruned = SearchSpace(middle, SpaceSettings(), ("prune",))
    assert "block.conv1" + LAST_SUFFIX in [group.name for group in pruned.groups]
    whole = middle.cost(CompressionParameters.none()).flops
    study, budget = optuna.create_study(direction="maximize"), flops_budget(0.6 * whole, "0.6")
    settings = DriverSettings(0, "layered", 8, True, stage="prune")
    Driver(study, pruned, budget, settings, before=before).run(FakePool(1, judged), Listener())
    view = StudyView(pruned, budget)
    for trial in study.trials:
        assert loads(trial.user_attrs[PARAMETERS]).parameters.ranks == before.ranks
        wanted = np.array([[trial.params[name] for name in pruned.dimensions]])
        np.testing.assert_array_equal(view.kept(trial), Projection(pruned, budget).many(wanted)[0])


def test_a_trial_that_was_only_asked_for_kept_nothing():
    study = optuna.create_study(direction="maximize")
    trial = study.ask()
    assert not StudyView.is_decoded(study.trials[trial.number])


def test_trials_of_a_front_have_budgets_of_their_own():
    """Trial 0 is of the tightest level, trial 1 of the middle one: what it keeps, the tightest does not allow."""
    study, view = searched(LEVELS), StudyView(SPACE, BUDGET, LEVELS)
    tight, middle = study.trials[0], study.trials[1]
    assert [LEVELS.of_number(number) for number in (0, 1)] == [0, 1]
    assert view.allows(tight, middle) and not view.allows(middle, tight)
    wanted = np.full((1, len(SPACE.dimensions)), 0.5)
    for trial, budget in ((tight, LEVELS.budgets[0]), (middle, LEVELS.budgets[1])):
        expected = Projection(SPACE, budget).many(wanted)
        np.testing.assert_array_equal(view.project(wanted, trial, True), expected)


def test_costs_decide_what_is_allowed():
    study, view = searched(), StudyView(SPACE, BUDGET)
    trial = study.trials[0]
    assert view.allows(trial, trial)
    dearer = replace(SPACE.cost.cost(loads(trial.user_attrs[PARAMETERS]).parameters), flops=ORIGINAL.flops)
    trial.user_attrs[COST]["flops"] = dearer.flops
    assert not view.allows(trial, trial)
