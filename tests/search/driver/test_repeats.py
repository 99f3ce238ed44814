"""Candidates that were judged before: no worker judges them again."""

from itertools import count

import optuna
import pytest

from objectives.budget.budget import Limit
from objectives.cost.quantities.standard import FLOPS as FLOPS_QUANTITY
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.run_log import line_of
from search.driver.rungs import Halving, Ladder
from search.driver.start_queue import clipped, distinct, enqueue_starts
from search.space.levels import Levels
from search.space.projection import Projection
from search.strategies.joint import run_joint
from search.study.judgement import Judgement, Rung
from search.study.storage import open_study
from search.study.trial_record import LEVEL, records
from tests.search.driver.rung_pool import RungPool
from tests.search.driver.test_rungs import FLOPS, HALF, NONE, SPACE, Recorder
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import PRUNE_FIRST, cost, trained_like
from tests.search.strategies.staged_runs import FakePoolFactory, staged
from zoo.tasks.metric import Score

EVEN, TWICE, HALVED = (dict.fromkeys(SPACE.dimensions, share) for share in (0.3, 0.6, 0.15))
OTHER, OTHER_TWICE = (
    {**dict.fromkeys(SPACE.dimensions, 5 * share), SPACE.dimensions[0]: share} for share in (0.1, 0.2)
)
STARTS = {"even": EVEN, "other": OTHER, "twice": TWICE, "halved": HALVED}
"""Three of the four are one candidate: preferences count relative to each other."""


def anew():
    """Judges every candidate otherwise than all before it."""
    numbers = count(1)
    return lambda *_: Judgement(Score({"accuracy": next(numbers) / 100, "loss": 0.5}), 1.0)


def queued(study, trials, ladder=None, levels=None):
    enqueue_starts(study, STARTS)
    settings = DriverSettings(3, "random", trials, True, **({} if ladder is None else {"ladder": ladder}))
    return Driver(study, SPACE, HALF, settings, levels)


def told(study):
    return [(record.state, record.repeats, record.score.figures["accuracy"]) for record in records(study)]


def test_a_repeated_candidate_has_the_figures_of_the_trial_that_was_judged():
    study, pool, listener = optuna.create_study(direction="maximize"), FakePool(judge=anew()), Recorder()
    queued(study, 4).run(pool, listener)
    assert told(study) == [
        ("complete", None, 0.01),
        ("complete", None, 0.02),
        ("complete", 0, 0.01),
        ("complete", 0, 0.01),
    ]
    assert [trial.value for trial in study.trials] == [0.01, 0.02, 0.01, 0.01]
    first, _, third, _ = records(study)
    assert (third.parameters, third.cost, third.rungs, third.start) == (*_of(first), "twice")
    assert (third.seconds, third.worker, line_of(third)["repeats"]) == (None, None, 0)
    assert [record.number for record in listener.trials] == [0, 1, 2, 3]
    assert len(pool.submitted) == 2


def _of(record):
    return record.parameters, record.cost, record.rungs


def test_what_is_still_judged_by_another_worker_is_judged_twice():
    study, pool = optuna.create_study(direction="maximize"), FakePool(3, judge=anew())
    queued(study, 4).run(pool, Recorder())
    # The first three are begun at once; the fourth when the first is known.
    assert [repeats for _, repeats, _ in told(study)] == [None, None, None, 0]


def test_what_failed_is_judged_again():
    outcomes = iter([Judgement.failed(1.0, "its worker was lost"), *(anew()() for _ in range(3))])
    study = optuna.create_study(direction="maximize")
    queued(study, 4).run(FakePool(judge=lambda _: next(outcomes)), Recorder())
    assert [(record.state, record.repeats) for record in records(study)] == [
        ("failed", None),
        *(("complete", None), ("complete", None), ("complete", 2)),
    ]


def test_a_repeat_stops_at_the_rung_of_the_first_and_counts_once_there():
    ladder = Ladder((10, 30), 2)

    def judge_at(candidate, steps):
        # The second candidate is worse than the first, and stops.
        return Judgement(Score({"accuracy": [50, 40, 90][candidate] / 100 - steps / 1000, "loss": 0.5}), 1.0)

    starts = {"even": EVEN, "other": OTHER, "other twice": OTHER_TWICE}
    study, pool = optuna.create_study(direction="maximize"), RungPool(10, judge_at)
    enqueue_starts(study, starts)
    Driver(study, SPACE, HALF, DriverSettings(3, "random", 3, True, ladder=ladder)).run(pool, Recorder())
    assert told(study) == [("complete", None, 0.47), ("stopped", None, 0.39), ("stopped", 1, 0.39)]
    assert [trial.intermediate_values for trial in study.trials] == [{10: 0.49, 30: 0.47}, {10: 0.39}, {10: 0.39}]
    # Second of three, of whom one goes on; were the repeat counted, it would be second of four, of whom two do.
    rung = Rung(10, Score({"accuracy": 0.45, "loss": 0.5}), 0.45)
    assert not Halving(ladder, records(study)).goes_on(0, rung)
    assert len(pool.submitted) == 2


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_an_interrupted_search_repeats_the_same(tmp_path, stop_after):
    def judge(parameters):
        return Judgement(Score({"accuracy": sum(parameters.ratios.values()) % 1, "loss": 0.5}), 1.0)

    whole, cut = (tmp_path / name for name in ("whole", "cut"))
    for folder in (whole, cut):
        folder.mkdir()
    queued(open_study(whole, "run", "journal"), 6).run(FakePool(judge=judge), Recorder())
    with pytest.raises(KeyboardInterrupt):
        queued(open_study(cut, "run", "journal"), 6).run(FakePool(judge=judge, stop_after=stop_after), Recorder())
    queued(open_study(cut, "run", "journal"), 6).run(FakePool(judge=judge), Recorder())
    expected = records(open_study(whole, "run", "journal"))
    assert [record.repeats for record in expected][:4] == [None, None, 0, 0]
    assert records(open_study(cut, "run", "journal")) == expected


def test_levels_of_a_front_do_not_repeat_each_other():
    """Whole models of a budget that all meet are one candidate at both levels, whose trials are compared apart."""
    wide = cost("tiny").cost(NONE)
    budgets = [Limit(FLOPS_QUANTITY, factor * FLOPS, str(factor)) for factor in (2.0, 3.0)]
    levels = Levels.between(HALF.__class__((budgets[0],)), budgets[1], 2, wide)
    study, pool = optuna.create_study(directions=["maximize", "minimize"]), FakePool(judge=anew())
    Driver(study, SPACE, levels.budgets[0], DriverSettings(3, "random", 4, True), levels).run(pool, Recorder())
    assert [(trial.user_attrs[LEVEL], *rest) for trial, (_, *rest) in zip(study.trials, told(study), strict=True)] == [
        *((0, None, 0.01), (1, None, 0.02), (0, 0, 0.01), (1, 1, 0.02)),
    ]


def test_starts_that_become_one_candidate_are_tried_once_and_the_sweep_keeps_its_name():
    lines = []
    starts = {**STARTS, "sensitivity": TWICE}
    kept = distinct(starts, SPACE, HALF, lines.append)
    assert list(kept) == ["other", "sensitivity"]
    project = Projection(SPACE, HALF)
    assert len({repr(project(SPACE.row(clipped(wanted))).parameters) for wanted in starts.values()}) == 2
    assert lines == [
        "starts that are the same candidate at this budget are tried once: 'even' as 'sensitivity', "
        "'twice' as 'sensitivity', 'halved' as 'sensitivity'"
    ]
    assert distinct(kept, SPACE, HALF, lines.append) == kept
    assert len(lines) == 1


def test_a_joint_search_tries_each_candidate_once(tmp_path):
    net = trained_like((12, 16))
    for _ in range(2):  # Once more when it is resumed.
        search = staged(tmp_path, net, PRUNE_FIRST, FakePoolFactory(), budget=0.6, trials=5)
        run_joint(search.job, search.study, search.open_pool)
        names = [record.start for record in records(search.study)]
        assert names == ["uniform pruning", "SLAMP", "SLAMP on feature maps", "uniform", "uniform pruning + VBMF"]
        assert len({repr(record.parameters) for record in records(search.study)}) == 5
    assert len(search.study.trials) == 5


def test_each_stage_tries_each_candidate_once(tmp_path):
    net = trained_like((12, 16))
    search = staged(tmp_path, net, PRUNE_FIRST, FakePoolFactory(), budget=0.9, trials=8)
    search.run()
    for study in (search.first, search.study):
        named = [repr(record.parameters) for record in records(study) if record.start is not None]
        assert len(set(named)) == len(named)
