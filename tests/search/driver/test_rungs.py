"""The driver lets trials climb, with a pool that needs no Ray."""

from itertools import count

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from compress.parameters import CompressionParameters
from objectives.budget.budget import Limit
from objectives.cost.quantities.standard import FLOPS as FLOPS_QUANTITY
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.finals import Finals
from search.driver.rungs import Ladder
from search.space.levels import Levels
from search.study.judgement import Judgement
from search.study.ranking import best
from search.study.storage import open_study
from search.study.trial_record import first_rung_objective, records
from tests.search.driver.rung_pool import RungPool, newest
from tests.search.fixtures.nets import cost, flops_budget, space
from tests.search.fixtures.recorder import Recorder
from tests.search.fixtures.studies import memory
from zoo.tasks.metric import LOSS, Score

NONE = CompressionParameters.none()
FLOPS = cost("tiny").cost(NONE).flops
HALF = flops_budget(0.5 * FLOPS, "0.5")
SPACE = space("tiny")
LADDER = Ladder((10, 30, 90), 2)


def driver(study, trials, ladder=LADDER, sampler="random", metric=None, seed=3):
    chosen = DriverSettings(
        seed, sampler, trials, True, **({} if metric is None else {"metric": metric}), ladder=ladder
    )
    return Driver(study, SPACE, HALF, chosen)


def scripted(table):
    """Judgements by candidate and steps: an accuracy, its loss being what it lacks, or an error."""

    def judge_at(candidate, steps):
        said = table[candidate][LADDER.steps.index(steps)]
        return (
            Judgement.failed(1.0, said)
            if isinstance(said, str)
            else Judgement(Score({"accuracy": said, "loss": 1 - said}), 1.0)
        )

    return judge_at


TABLE = [
    (0.50, 0.60, 0.70),  # The first at every rung.
    (0.40,),  # Second of 2: one may go on.
    (0.60, 0.55),  # First of 3; at the second rung second of 2.
    (0.55, 0.65, 0.65),  # Second of 4: two may go on; at the second rung first of 3.
    (0.52,),  # Third of 5.
    (0.58, "loss is nan"),  # Second of 6: three may go on.
    ("its worker was lost",),
]


def test_trials_climb_as_derived_by_hand():
    study, pool, listener = memory(), RungPool(10, scripted(TABLE)), Recorder()
    driver(study, len(TABLE)).run(pool, listener)
    result = records(study)
    assert pool.judgements == [
        *((0, 10, 0.50), (0, 30, 0.60), (0, 90, 0.70), (1, 10, 0.40), (2, 10, 0.60), (2, 30, 0.55)),
        *((3, 10, 0.55), (3, 30, 0.65), (3, 90, 0.65), (4, 10, 0.52), (5, 10, 0.58), (5, 30, None), (6, 10, None)),
    ]
    assert [record.state for record in result] == [
        *("complete", "stopped", "stopped", "complete", "stopped", "failed", "failed"),
    ]
    assert [record.steps for record in result] == [90, 10, 30, 90, 10, 10, None]
    assert [record.score and record.score.figures["accuracy"] for record in result] == [
        0.70,
        0.40,
        0.55,
        0.65,
        0.52,
        None,
        None,
    ]
    assert [record.score.loss for record in result[:5]] == [
        1 - record.score.figures["accuracy"] for record in result[:5]
    ]
    assert [record.seconds for record in result] == [3, 1, 2, 3, 1, 2, 1]
    assert [record.error for record in result] == [None] * 5 + ["loss is nan", "its worker was lost"]
    assert [[rung.score.figures["accuracy"] for rung in record.rungs] for record in result] == [
        *([0.50, 0.60, 0.70], [0.40], [0.60, 0.55], [0.55, 0.65, 0.65], [0.52], [0.58], []),
    ]
    assert listener.trials == result


def test_what_optuna_is_told():
    study = memory()
    driver(study, len(TABLE)).run(RungPool(10, scripted(TABLE)), Recorder())
    complete, pruned, failed = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
    assert [trial.state for trial in study.trials] == [complete, pruned, pruned, complete, pruned, failed, failed]
    assert [trial.value for trial in study.trials] == [0.70, 0.40, 0.55, 0.65, 0.52, None, None]
    assert [trial.intermediate_values for trial in study.trials] == [
        *({10: 0.50, 30: 0.60, 90: 0.70}, {10: 0.40}, {10: 0.60, 30: 0.55}),
        *({10: 0.55, 30: 0.65, 90: 0.65}, {10: 0.52}, {10: 0.58}, {}),
    ]
    assert [first_rung_objective(trial) for trial in study.trials] == [0.50, 0.40, 0.60, 0.55, 0.52, 0.58, None]


def test_ranks_go_by_rung_then_by_score():
    study = memory()
    table = [(0.50, 0.60, 0.61), (0.40,), (0.60, 0.55), (0.55, 0.65, 0.59), (0.70, 0.67, 0.60), (0.80, 0.62)]
    driver(study, len(table)).run(RungPool(10, scripted(table)), Recorder())
    result = records(study)
    # At the last rung 0.61, 0.60 and 0.59, at the second 0.62 (third of 5) and 0.55.
    assert best(result).number == 0
    assert [source for source, _ in Finals(study, SPACE, HALF, 5, LOSS).pending] == [
        *("recommended values", "trial 0", "trial 4", "trial 3", "trial 5", "trial 2"),
    ]


def test_a_loss_is_climbed_by_when_the_study_ranks_by_it():
    study = memory()
    # The accuracy rises, the loss does too: only the first goes on.
    pool = RungPool(
        10, lambda candidate, steps: Judgement(Score({"accuracy": 0.5 + candidate / 10, "loss": 1.0 + candidate}), 1.0)
    )
    driver(study, 3, metric=LOSS).run(pool, Recorder())
    assert [record.state for record in records(study)] == ["complete", "stopped", "stopped"]
    assert [first_rung_objective(trial) for trial in study.trials] == [-1.0, -2.0, -3.0]


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_worker_idles_and_every_decision_is_that_of_its_moment(data):
    workers, trials = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    ladder = Ladder((10, 30, 90)[: data.draw(st.integers(1, 3))], data.draw(st.integers(1, 4)))
    scores = st.integers(0, 5).map(lambda tenths: tenths / 10)
    listener = Recorder()

    def choose(keys):
        assert len(keys) == min(workers, trials - len(listener.trials))
        return data.draw(st.sampled_from(keys))

    def judge_at(candidate, steps):
        if data.draw(st.integers(0, 9)) == 0:
            return Judgement.failed(1.0, "nan")
        score = data.draw(scores)
        return Judgement(Score({"accuracy": score, "loss": 0.5}), 1.0)

    study, pool = memory(), RungPool(10, judge_at, workers, choose=choose)
    driver(study, trials, ladder).run(pool, listener)
    assert len(listener.trials) == len(records(study)) == len(pool.submitted) == trials
    for steps, next_steps in zip(ladder.steps, ladder.steps[1:], strict=False):
        arrived = [(candidate, score) for candidate, at, score in pool.judgements if at == steps and score is not None]
        went_on = {candidate for candidate, at, _ in pool.judgements if at == next_steps}
        expected = set()
        for position, (candidate, score) in enumerate(arrived, start=1):
            as_good = sum(other >= score for _, other in arrived[: position - 1])
            if as_good + 1 <= max(1, position // ladder.one_in):
                expected.add(candidate)
        assert went_on == expected


def noisy(candidate, steps):
    """The same for a candidate whenever it is judged; the order of candidates differs from rung to rung."""
    accuracy = (candidate * 7919 + steps * 104729) % 997 / 997
    return Judgement(Score({"accuracy": accuracy, "loss": 1 - accuracy}), 1.0)


@pytest.mark.parametrize(("kind", "stop_after"), [*(("journal", most) for most in (0, 1, 2, 3, 5, 11)), ("sqlite", 2)])
def test_an_interrupted_search_goes_on_as_if_it_never_was(tmp_path, kind, stop_after):
    def study(name):
        (tmp_path / name).mkdir(exist_ok=True)
        return open_study(tmp_path / name, "run", kind)

    whole = study("whole")
    driver(whole, 10, sampler="tpe", seed=4).run(RungPool(10, noisy), Recorder())
    assert {record.reached for record in records(whole)} == {1, 2, 3}

    with pytest.raises(KeyboardInterrupt):
        driver(study("cut"), 10, sampler="tpe", seed=4).run(RungPool(10, noisy, stop_after=stop_after), Recorder())
    resumed = study("cut")
    before = len(records(resumed))
    rest = RungPool(10, lambda candidate, steps: noisy(candidate + before, steps))
    driver(resumed, 10, sampler="tpe", seed=4).run(rest, Recorder())
    assert records(resumed) == records(whole)
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in whole.trials]
    assert [trial.intermediate_values for trial in resumed.trials] == [
        trial.intermediate_values for trial in whole.trials
    ]
    assert len(rest.submitted) == 10 - before


def test_rungs_of_before_an_interruption_stand(tmp_path):
    """A GPU may judge anew a little differently: each rung keeps the figures that were decided by."""
    values = count(1)

    def judge_at(candidate, steps):
        return Judgement(Score({"accuracy": next(values) / 100, "loss": 0.5}), 1.0)

    study = open_study(tmp_path, "run", "journal")
    with pytest.raises(KeyboardInterrupt):
        driver(study, 1).run(RungPool(10, judge_at, stop_after=2), Recorder())
    # While it is queued its first rung is known.
    assert study.trials[0].state == TrialState.WAITING
    assert first_rung_objective(study.trials[0]) == 0.01
    again = RungPool(10, judge_at)
    driver(study, 1).run(again, Recorder())
    assert again.judgements == [(0, 10, 0.03), (0, 30, 0.04), (0, 90, 0.05)]
    (record,) = records(study)
    assert [rung.score.figures["accuracy"] for rung in record.rungs] == [0.01, 0.02, 0.05]
    assert study.trials[0].intermediate_values == {10: 0.01, 30: 0.02, 90: 0.05}
    assert (record.score.figures["accuracy"], record.seconds) == (0.05, 3)


def test_an_interrupted_trial_goes_on_to_every_rung_that_it_was_judged_at(tmp_path):
    """Also where a better trial comes before it this time, behind which it would have stopped."""

    def judge_at(candidate, steps):
        return Judgement(Score({"accuracy": 0.3 + 0.1 * candidate, "loss": 0.5}), 1.0)

    study = open_study(tmp_path, "run", "journal")
    with pytest.raises(KeyboardInterrupt):
        driver(study, 2).run(RungPool(10, judge_at, stop_after=2), Recorder())
    pool = RungPool(10, judge_at, 2, choose=newest)
    driver(study, 2).run(pool, Recorder())
    assert pool.judgements == [*((1, 10, 0.4), (1, 30, 0.4), (1, 90, 0.4)), *((0, 10, 0.3), (0, 30, 0.3))]
    assert [(record.state, record.steps) for record in records(study)] == [("stopped", 30), ("complete", 90)]


def test_a_trial_of_one_rung_is_not_reported_as_it_climbs():
    study = memory()
    pool = RungPool(10, noisy)
    driver(study, 3, Ladder((10,))).run(pool, Recorder())
    result = records(study)
    assert [(record.state, record.steps) for record in result] == [("complete", 10)] * 3
    assert [trial.intermediate_values for trial in study.trials] == [{}] * 3
    assert [first_rung_objective(trial) for trial in study.trials] == [
        record.score.figures["accuracy"] for record in result
    ]


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsgaii", "qmc"])
def test_every_level_of_a_front_climbs_apart(sampler):
    """Candidates of the wider level score more; those of the tighter one climb all the same."""
    original, searched = (
        cost("digits_resnet").cost(NONE),
        space("digits_resnet"),
    )  # So large that none is proposed twice.
    tightest = flops_budget(0.5 * original.flops, "0.5")
    levels = Levels.between(tightest, Limit(FLOPS_QUANTITY, 0.8 * original.flops, "0.8"), 2, original)
    study = optuna.create_study(directions=["maximize", "minimize"])
    work = driver(study, 12, sampler=sampler)
    # Numbers 0, 2, 4 ... have level 0 and get better, the others have level 1 and get worse.
    scores = [0.1 + number / 100 if number % 2 == 0 else 0.8 - number / 100 for number in range(12)]
    pool = RungPool(10, lambda candidate, steps: Judgement(Score({"accuracy": scores[candidate], "loss": 0.5}), 1.0))
    Driver(study, searched, tightest, work.settings, levels).run(pool, Recorder())
    result = records(study)
    assert [record.level for record in result] == [0, 1] * 6
    assert [record.state for record in result] == ["complete", "complete"] + ["complete", "stopped"] * 5
    assert [trial.intermediate_values for trial in study.trials] == [{}] * 12
    assert [first_rung_objective(trial) for trial in study.trials] == scores
