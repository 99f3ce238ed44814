"""The driver, with a pool that needs no Ray."""

import os

import pytest
from optuna.trial import TrialState

from compress.parameters import CompressionParameters
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.start_queue import enqueue_starts
from search.samplers.kinds.layered import RANDOM_TRIALS
from search.samplers.probes import UNPRUNED, Probe, store_probe
from search.samplers.starts import starts
from search.space.projection import Projection
from search.space.space import LOWEST_PREFERENCE
from search.study.judgement import Judgement
from search.study.storage import open_study
from search.study.trial_record import BUDGET, records
from tests.search.fixtures.fake_pool import FakePool, judged
from tests.search.fixtures.nets import DECOMPOSE_ONLY, PRUNE_ONLY, cost, flops_budget, model, space
from tests.search.fixtures.recorder import Recorder
from tests.search.fixtures.studies import memory
from tests.search.samplers.sampler_names import ALL, FAST

FLOPS = cost("tiny").cost(CompressionParameters.none()).flops
HALF = flops_budget(0.5 * FLOPS, "0.5")
SPACE = space("tiny")


def driver(
    study, trials=12, *, sampler="tpe", projection=True, budget=HALF, seed=3, searched=SPACE, early_stopping=None
):
    settings = DriverSettings(seed, sampler, trials, projection, early_stopping=early_stopping)
    return Driver(study, searched, budget, settings)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("sampler", ALL)
def test_exactly_the_planned_trials_run_within_the_budget(sampler, workers):
    study, pool, listener = memory(), FakePool(workers), Recorder()
    work = driver(study, sampler=sampler)
    assert work.remaining == 12
    work.run(pool, listener)
    result = records(study)
    assert (len(result), len(study.trials), len(pool.submitted), work.remaining) == (12, 12, 12, 0)
    assert pool.most_running == workers
    assert listener.settled_before == []
    assert sorted(record.number for record in listener.trials) == list(range(12))
    for record in result:
        assert record.state == "complete"
        assert record.cost == cost("tiny").cost(record.parameters)
        assert record.cost.flops <= HALF.limits[0].most
        assert (record.score.figures["accuracy"], record.score.loss, record.seconds) == (
            judged(record.parameters).score.figures["accuracy"],
            judged(record.parameters).score.loss,
            0.1,
        )
    # What was recorded is what was judged: the projected proposal of each trial's own numbers.
    project = Projection(SPACE, HALF)
    assert [project(SPACE.row(trial.params)).parameters for trial in study.trials] == [
        record.parameters for record in result
    ]
    # They meet the budget: a constraint would only have samplers fit a model to it.
    assert not any(trial.constraints for trial in study.trials)
    assert [record.parameters for record in result] == pool.submitted


def test_without_projection_infeasible_proposals_are_recorded_but_not_judged():
    study, pool, listener = memory(), FakePool(2), Recorder()
    budget = flops_budget(0.25 * FLOPS, "0.25")
    driver(study, trials=30, projection=False, budget=budget).run(pool, listener)
    result = records(study)
    infeasible = [record for record in result if record.state == "infeasible"]
    assert len(result) == len(listener.trials) == 30
    assert 0 < len(infeasible) < 30
    assert len(pool.submitted) == 30 - len(infeasible)
    for trial, record in zip(study.trials, result, strict=True):
        violation = record.cost.flops / budget.limits[0].most - 1
        assert trial.constraints == {BUDGET: pytest.approx(violation)}
        assert (record.state == "infeasible") == (violation > 0)
        assert record.parameters == SPACE.decode(SPACE.row(trial.params))
        if record.state == "infeasible":
            assert record.score is record.seconds is None
            assert record.parameters not in pool.submitted


def test_failed_trials_are_recorded_with_their_error_and_the_search_goes_on():
    def judge(parameters):
        failing = len(pool.submitted) % 2 == 0
        return Judgement.failed(2.5, f"loss of trial {len(pool.submitted)} is nan") if failing else judged(parameters)

    study, pool = memory(), FakePool(1, judge)
    driver(study, trials=6).run(pool, Recorder())
    result = records(study)
    assert [record.state for record in result] == ["complete", "failed"] * 3
    assert [record.error for record in result] == [None, "loss of trial 2 is nan", None, "loss of trial 4 is nan"] + [
        None,
        "loss of trial 6 is nan",
    ]
    assert [record.seconds for record in result] == [0.1, 2.5] * 3
    assert all(record.parameters.ratios for record in result)


@pytest.mark.parametrize(("kind", "stop_after"), [("journal", 0), ("journal", 2), ("journal", 9), ("sqlite", 2)])
def test_an_interrupted_search_goes_on_as_if_it_never_was(tmp_path, kind, stop_after):
    def study(name):
        (tmp_path / name).mkdir(exist_ok=True)
        opened = open_study(tmp_path / name, "run", kind)
        enqueue_starts(opened, starts(model("tiny"), SPACE, HALF))
        return opened

    whole = study("whole")
    driver(whole).run(FakePool(), Recorder())

    pool = FakePool(stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        driver(study("cut")).run(pool, Recorder())
    listener, resumed = Recorder(), study("cut")
    assert [trial.state for trial in resumed.trials].count(TrialState.RUNNING) == 0
    assert len(listener.trials) == 0
    rest = FakePool()
    driver(resumed).run(rest, listener)
    assert [record.number for record in listener.settled_before] == list(range(stop_after))
    assert [record.number for record in listener.trials] == list(range(stop_after, 12))
    # Nothing was judged twice but the trial that was under way.
    assert pool.submitted[:-1] + rest.submitted == [record.parameters for record in records(whole)]
    assert records(resumed) == records(whole)
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in whole.trials]


def test_an_interruption_queues_all_running_trials(tmp_path):
    study, pool = open_study(tmp_path, "run", "journal"), FakePool(3, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        driver(study).run(pool, Recorder())
    states = [trial.state for trial in study.trials]
    # The three that ran, and the one that was made ahead.
    assert states == [TrialState.COMPLETE] * 2 + [TrialState.WAITING] * 4
    rest = FakePool(3)
    driver(study).run(rest, Recorder())
    assert rest.submitted[:3] == list(pool.running.values())
    assert [record.state for record in records(study)] == ["complete"] * 12


class SlowStart(FakePool):
    """Three workers, which are ready after five waits; it remembers how long each may last, and what was asked."""

    def __init__(self, study):
        super().__init__(3)
        self.study, self.waits = study, []

    @property
    def starting(self):
        return 0 if len(self.waits) >= 5 else 3

    @property
    def has_room(self):
        return not self.starting and super().has_room

    def wait(self, seconds):
        self.waits.append((seconds, len(self.study.trials)))
        return super().wait(seconds) if self.running else {}


def test_while_workers_start_a_proposal_is_made_for_each():
    study = memory()
    pool = SlowStart(study)
    driver(study, trials=5).run(pool, Recorder())
    # One is made before the first wait; then none lasts until each worker has one.
    assert pool.waits[:5] == [(0.0, 2), (0.0, 3), (1.0, 3), (1.0, 3), (1.0, 3)]
    assert pool.submitted == [record.parameters for record in records(study)]
    few, pool = memory(), None
    driver(few, trials=2).run(SlowStart(few), Recorder())
    assert len(few.trials) == 2


def test_what_arrives_together_is_stored_together(tmp_path, monkeypatch):
    """Three results wait for the disk once, where each proposal waits for itself."""

    class AllAtOnce(FakePool):
        def wait(self, seconds):
            return {key: judged(self.running.pop(key)) for key in list(self.running)}

    study, writes = open_study(tmp_path, "run", "journal"), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: writes.append(descriptor))
    driver(study, trials=3).run(AllAtOnce(3), Recorder())
    assert len(writes) == 3 + 1
    assert [record.state for record in records(study)] == ["complete"] * 3


def test_more_trials_continue_and_fewer_do_nothing():
    study = memory()
    driver(study, trials=4).run(FakePool(), Recorder())
    first = records(study)
    driver(study, trials=7).run(FakePool(), Recorder())
    assert records(study)[:4] == first
    assert len(records(study)) == 7
    idle = FakePool()
    assert driver(study, trials=5).remaining == 0
    driver(study, trials=5).run(idle, Recorder())
    assert idle.submitted == []


@pytest.mark.parametrize("sampler", FAST)
def test_seeds_decide(sampler):
    def proposals(seed):
        study = memory()
        driver(study, trials=10, sampler=sampler, seed=seed).run(FakePool(), Recorder())
        return [trial.params for trial in study.trials]

    assert proposals(1) == proposals(1)
    assert proposals(1) != proposals(2)


def test_what_a_sweep_found_is_a_belief_of_the_sampler():
    """The same scores, and another proposal for each finding: random trials come first, and know nothing of it."""

    def proposed(minded):
        study = memory()
        store_probe(study, Probe(UNPRUNED, (), 1.0, 0.9, 1.0))
        for name in SPACE.dimensions if minded else ():
            store_probe(study, Probe(name, (name,), 0.5, 0.1 if name == minded else 0.9, 1.0))
        driver(study, trials=RANDOM_TRIALS + 1, sampler="layered").run(FakePool(), Recorder())
        return [tuple(trial.params.values()) for trial in study.trials]

    runs = [proposed(minded) for minded in (None, *SPACE.dimensions[:2])]
    assert len({tuple(run[:-1]) for run in runs}) == 1
    assert len({run[-1] for run in runs}) == 3


def test_starts_are_tried_first_by_name_and_only_once():
    study = memory()
    wanted = {
        "even": dict.fromkeys(SPACE.dimensions, 0.5),
        "little": dict.fromkeys(SPACE.dimensions, 0.01),
        "even again": dict.fromkeys(SPACE.dimensions, 0.5),
    }
    for _ in range(2):
        enqueue_starts(study, wanted)
    driver(study, trials=4).run(FakePool(), Recorder())
    result = records(study)
    assert [record.start for record in result] == ["even", "little", None, None]
    assert study.trials[1].params == dict.fromkeys(SPACE.dimensions, LOWEST_PREFERENCE)
    assert result[0].parameters == Projection(SPACE, HALF)(SPACE.row(wanted["even"])).parameters


def test_trials_of_a_second_stage_hold_the_values_of_both():
    study, pool = memory(), FakePool(2)
    before = CompressionParameters({"add": 0.5}, {})
    settings = DriverSettings(3, "tpe", 3, True, stage="decompose")
    Driver(study, space("tiny", DECOMPOSE_ONLY), HALF, settings, before=before).run(pool, Recorder())
    result = records(study)
    assert all(given.ranks and not given.ratios for given in pool.submitted)
    assert [record.parameters for record in result] == [before.merged(given) for given in pool.submitted]
    assert [record.source for record in result] == [f"decompose trial {number}" for number in range(3)]
    assert [record.cost for record in result] == [cost("tiny").cost(given) for given in pool.submitted]


def test_a_space_without_ranks():
    study = memory()
    driver(study, trials=3, searched=space("tiny", PRUNE_ONLY)).run(FakePool(), Recorder())
    assert all(record.parameters.ratios and not record.parameters.ranks for record in records(study))
