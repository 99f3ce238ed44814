"""The levels of a front: budgets worked out by hand, and a driver that projects every trial to its own."""

from statistics import median

import optuna
import pytest

from compress.errors import BudgetError
from compress.parameters import CompressionParameters
from objectives.budget.budget import Budget, Limit
from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS, LATENCY, PARAMS
from search import settings
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.driver.start_queue import queue_starts
from search.space.levels import Levels, van_der_corput
from search.space.projection import Projection
from search.strategies.preparation import front_levels
from search.study.storage import open_study
from search.study.trial_record import ALLOWED, LEVEL, START, records
from tests.objectives.cost.synthetic_latency import table
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import cost, space
from tests.search.fixtures.runs import config

ORIGINAL = cost("tiny").cost(CompressionParameters.none())
SPACE = space("tiny")


def levels(count=4, tightest="20%", widest="80%", **others):
    budget = Budget.parse({"flops": tightest, **others}, ORIGINAL)
    return Levels.between(budget, Limit.parse(FLOPS, widest, ORIGINAL.flops), count, ORIGINAL)


def driver(study, given, trials=16, sampler="tpe"):
    return Driver(study, SPACE, given.budgets[0], DriverSettings(3, sampler, trials, True), given)


def memory():
    return optuna.create_study(directions=["maximize", "minimize"])


def test_levels_are_equal_factors_apart():
    budget = Budget((Limit(PARAMS, 900.0, "900"), Limit(FLOPS, 100.0, "100")))
    result = Levels.between(budget, Limit(FLOPS, 800.0, "800"), 4, Cost(1600, 1000, 4000))
    assert [item.limit(FLOPS).most for item in result.budgets] == pytest.approx([100, 200, 400, 800])
    assert result.budgets[0] is budget
    assert all(item.limit(PARAMS) == budget.limit(PARAMS) for item in result.budgets)
    assert [result.attributes(level)[ALLOWED] for level in range(4)] == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2])
    ends = Levels.between(budget, Limit(FLOPS, 800.0, "800"), 2, Cost(1600, 1000, 4000))
    assert [item.limit(FLOPS).most for item in ends.budgets] == [100, 800]


def test_the_sequence_by_hand():
    assert [van_der_corput(number) for number in range(9)] == [
        0,
        1 / 2,
        1 / 4,
        3 / 4,
        1 / 8,
        5 / 8,
        3 / 8,
        7 / 8,
        1 / 16,
    ]
    assert [levels(4).of_number(number) for number in range(9)] == [0, 2, 1, 3, 0, 2, 1, 3, 0]
    assert [levels(2).of_number(number) for number in range(5)] == [0, 1, 0, 1, 0]
    assert [levels(3).of_number(number) for number in range(9)] == [0, 1, 0, 2, 0, 1, 1, 2, 0]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_every_run_of_numbers_has_every_level_about_equally_often(count):
    result = [levels(count).of_number(number) for number in range(400)]
    for start in (0, 17, 333):
        part = result[start : start + 60]
        assert all(abs(part.count(level) - 60 / count) <= 4 for level in range(count))


@pytest.mark.parametrize("widest", ["20%", "10%", "5x"])
def test_a_widest_limit_that_is_not_wider_is_refused(widest):
    with pytest.raises(BudgetError, match=r"front\.widest: expected more than budget\.flops, 20% = .*raise front\.wid"):
        levels(widest=widest)


def test_a_quantity_without_a_limit_is_refused():
    with pytest.raises(BudgetError, match=r"budget\.params, no limit of it"):
        Levels.between(Budget((Limit(FLOPS, 5.0, "5"),)), Limit(PARAMS, 5.0, "5"), 2, ORIGINAL)


def test_configured_levels(tmp_path):
    given = config(tmp_path, front={"widest": "80%", "levels": 3}, budget={"flops": 0.2})
    budget = settings.budget(given.budget, ORIGINAL)
    most = [item.limit(FLOPS).most for item in front_levels(given, budget, ORIGINAL).budgets]
    assert most == pytest.approx([0.2 * ORIGINAL.flops, 0.4 * ORIGINAL.flops, 0.8 * ORIGINAL.flops])
    assert front_levels(config(tmp_path), budget, ORIGINAL) is None
    for widest, said in (("80kg", "front.widest: expected a fraction"), ("9G", "front.widest: expected at most the")):
        with pytest.raises(BudgetError, match=said):
            front_levels(config(tmp_path, front={"widest": widest}), budget, ORIGINAL)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("sampler", ["tpe", "random", "nsgaii", "nsgaiii", "qmc"])
def test_every_trial_just_meets_the_budget_of_its_own_level(sampler, workers):
    study, given = memory(), levels(params="90%")
    driver(study, given, sampler=sampler).run(FakePool(workers), Listener())
    result = records(study)
    assert [record.level for record in result] == [given.of_number(number) for number in range(16)]
    for record, trial in zip(result, study.trials, strict=True):
        budget = given.budgets[record.level]
        assert record.cost == cost("tiny").cost(record.parameters)
        assert budget.violation(record.cost) <= 0
        assert record.parameters == Projection(SPACE, budget)(SPACE.row(trial.params)).parameters
        assert trial.values == [record.objective, pytest.approx(budget.limit(FLOPS).most / ORIGINAL.flops)]
    # Three groups on a coarse grid: a step of the one that costs most may be a large part of a tight budget.
    assert median(given.budgets[record.level].violation(record.cost) for record in result) > -0.1
    assert len({tuple(trial.params.items()) for trial in study.trials}) == 16


def test_a_sampler_knows_the_level_before_it_proposes(monkeypatch):
    seen = []

    class Watching(optuna.samplers.RandomSampler):
        def infer_relative_search_space(self, study, trial):
            seen.append((trial.number, trial.user_attrs[LEVEL], trial.user_attrs[ALLOWED]))
            return super().infer_relative_search_space(study, trial)

    monkeypatch.setattr(
        "search.driver.driver.samplers", lambda name, options, context: lambda trial: Watching(seed=trial)
    )
    given = levels()
    driver(memory(), given, trials=5).run(FakePool(), Listener())
    assert seen == [(number, level, given.attributes(level)[ALLOWED]) for number, level in enumerate([0, 2, 1, 3, 0])]


def test_an_interrupted_front_goes_on_as_if_it_never_was(tmp_path):
    def study(name):
        (tmp_path / name).mkdir(exist_ok=True)
        return open_study(tmp_path / name, "run", "journal", front=True)

    whole, given = study("whole"), levels()
    driver(whole, given).run(FakePool(), Listener())
    with pytest.raises(KeyboardInterrupt):
        driver(study("cut"), given).run(FakePool(stop_after=6), Listener())
    driver(study("cut"), given).run(FakePool(), Listener())
    assert records(study("cut")) == records(whole)


def test_starts_are_spread_over_the_levels_once():
    def starts_at(budget):
        most = budget.limit(FLOPS).most / ORIGINAL.flops
        return {name: dict.fromkeys(SPACE.dimensions, most) for name in ("a", "b", "c")}

    study, given = memory(), levels(3)
    for _ in range(2):
        queue_starts(study, starts_at, given.budgets[0], given)
    queued = [trial.user_attrs for trial in study.trials]
    assert [(attributes[START], attributes[LEVEL]) for attributes in queued] == [
        ("a", 0),
        ("c", 0),
        ("b", 1),
        ("a", 2),
        ("c", 2),
    ]
    driver(study, given, trials=8).run(FakePool(), Listener())
    result = records(study)
    assert [record.level for record in result] == [0, 0, 1, 2, 2, *(given.of_number(number) for number in (5, 6, 7))]
    assert [record.start for record in result] == ["a", "c", "b", "a", "c", None, None, None]
    for trial, record in zip(study.trials[:5], result, strict=False):
        assert list(trial.params.values()) == pytest.approx([[0.2, 0.4, 0.8][record.level]] * len(trial.params))
        assert given.budgets[record.level].violation(record.cost) <= 0


def test_without_a_front_starts_are_queued_as_they_are():
    study, budget = optuna.create_study(direction="maximize"), levels().budgets[0]
    queue_starts(study, lambda given: {"even": dict.fromkeys(SPACE.dimensions, 0.5)}, budget, None)
    (queued,) = study.trials
    assert queued.user_attrs == {START: "even"}


def test_latency_is_a_fraction_of_the_measured_original(tmp_path):
    given = config(tmp_path, budget={"latency": 0.25}, front={"quantity": "latency", "widest": 0.5, "levels": 2})
    budget = settings.budget(given.budget, ORIGINAL, table("tiny"))
    result = front_levels(given, budget, ORIGINAL)
    assert result.budgets[1].limit(LATENCY).most == pytest.approx(0.5 * table("tiny").original)
    assert result.budgets[1].table is table("tiny")
    assert result.attributes(1)[ALLOWED] == pytest.approx(0.5)
