"""What is stored of a trial comes back whole."""

import optuna
import pytest
from optuna.trial import TrialState

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.judgement import Judgement, Rung, keep_rung
from search.study.ranking import best
from search.study.trial_record import BUDGET, TrialRecord, describe, finish, first_rung_objective, records, reject
from zoo.tasks.metric import ACCURACY, LOSS, Metric, Score

PARAMETERS = CompressionParameters({"layer1.0.conv1": 0.7, "add": 0.1}, {"conv2": (3, 4)})
COST = Cost(123, 45, 180, 60)


@pytest.fixture
def study():
    return optuna.create_study(direction="maximize")


def described(study, violation=-0.01, **attributes):
    study.enqueue_trial({}, user_attrs=attributes)
    trial = study.ask()
    describe(trial, PARAMETERS, COST, violation)
    return trial


def test_a_judged_trial(study):
    made = finish(study, described(study, start="SLAMP"), Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 12.5))
    assert made == TrialRecord(
        0, "complete", PARAMETERS, COST, Score({"accuracy": 0.75, "loss": 0.9}), 12.5, None, "SLAMP"
    )
    assert records(study) == [made]
    assert study.trials[0].value == 0.75
    assert study.trials[0].constraints == {BUDGET: -0.01}


def test_a_failed_trial(study):
    made = finish(study, described(study), Judgement.failed(3.0, "its worker was lost"))
    assert made == TrialRecord(0, "failed", PARAMETERS, COST, None, 3.0, "its worker was lost", None)
    assert records(study) == [made]


def test_a_trial_over_the_budget(study):
    made = reject(study, described(study, violation=0.25))
    assert made == TrialRecord(0, "infeasible", PARAMETERS, COST, None, None, None, None)
    assert study.trials[0].constraints == {BUDGET: 0.25}


def climbed(study, *accuracies):
    trial = described(study)
    for position, accuracy in enumerate(accuracies):
        keep_rung(trial, Rung(30 * 3**position, Score({"accuracy": accuracy, "loss": 0.9}), accuracy))
    return trial


def test_a_stopped_trial_is_told_from_an_infeasible_one(study):
    rung = Rung(30, Score({"accuracy": 0.75, "loss": 0.9}), 0.75)
    made = finish(study, climbed(study, 0.75), Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 12.5), stopped=True)
    assert made == TrialRecord(
        0, "stopped", PARAMETERS, COST, Score({"accuracy": 0.75, "loss": 0.9}), 12.5, None, None, rungs=(rung,)
    )
    assert (made.steps, made.reached, made.objective) == (30, 1, 0.75)
    reject(study, described(study, violation=0.25))
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED] * 2
    assert [record.state for record in records(study)] == ["stopped", "infeasible"]


def test_a_rung_is_kept_once(study):
    trial = climbed(study, 0.5, 0.6)
    kept = (Rung(30, Score({"accuracy": 0.5, "loss": 0.9}), 0.5), Rung(90, Score({"accuracy": 0.6, "loss": 0.9}), 0.6))
    assert keep_rung(trial, Rung(30, Score({"accuracy": 0.8, "loss": 0.1}), 0.8)) == kept
    assert finish(study, trial, Judgement(Score({"accuracy": 0.6, "loss": 0.9}), 1.0)).rungs == kept


def test_best_is_by_the_rung_before_the_score(study):
    finish(study, climbed(study, 0.9), Judgement(Score({"accuracy": 0.9, "loss": 0.1}), 1.0), stopped=True)
    finish(study, climbed(study, 0.5, 0.6), Judgement(Score({"accuracy": 0.6, "loss": 0.9}), 1.0))
    finish(study, climbed(study, 0.8, 0.7), Judgement.failed(1.0, "nan"))
    assert best(records(study)).number == 1
    assert best(records(study)[:1]).number == 0


def test_the_score_at_the_first_rung(study):
    described(study)
    trials = [climbed(study, 0.5), climbed(study, 0.4, 0.7), climbed(study, 0.3), climbed(study, 0.2, 0.9)]
    finish(study, trials[0], Judgement(Score({"accuracy": 0.5, "loss": 0.9}), 1.0), stopped=True)
    finish(study, trials[1], Judgement(Score({"accuracy": 0.7, "loss": 0.9}), 1.0))
    finish(study, trials[2], Judgement.failed(1.0, "nan"))
    reject(study, described(study, violation=0.25))
    finish(study, described(study), Judgement.failed(1.0, "nan"))
    assert study.trials[4].state == TrialState.RUNNING
    objectives = [first_rung_objective(trial) for trial in study.trials]
    assert objectives == [None, 0.5, 0.4, 0.3, 0.2, None, None]


def test_trials_from_before_macs_were_counted_have_none(study):
    trial = described(study)
    trial.set_user_attr("cost", {"flops": 123, "params": 45, "bytes": 180})
    assert finish(study, trial, Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 12.5)).cost == Cost(
        123, 45, 180, None
    )


def test_unfinished_trials_are_no_records(study):
    described(study)
    study.enqueue_trial({})
    assert records(study) == []


def test_a_trial_may_be_described_again(study):
    """As it is when it was interrupted and asked for again; Optuna warns of a constraint that is set twice."""
    trial = described(study)
    describe(trial, PARAMETERS, COST, -0.01)
    assert study.trials[0].constraints == {BUDGET: -0.01}


def test_a_trial_that_was_killed_while_it_was_described_is_described_to_the_end(study):
    trial = study.ask()
    trial.set_constraint(BUDGET, -0.01)
    describe(trial, PARAMETERS, COST, -0.01)
    assert finish(study, trial, Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 12.5)).cost == COST


def test_a_trial_that_meets_the_budget_by_construction_has_no_constraint(study):
    finish(study, described(study, violation=None), Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 12.5))
    assert study.trials[0].constraints == {}


def record(number, accuracy, loss=None):
    state = "failed" if accuracy is None else "complete"
    return TrialRecord(
        number,
        state,
        PARAMETERS,
        COST,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": loss}),
        1.0,
        None,
        None,
    )


def test_best_is_the_most_accurate_then_the_least_lossy_then_the_first():
    result = [record(0, 0.5, 0.1), record(1, 0.9, 0.5), record(2, None), record(3, 0.9, 0.4), record(4, 0.9, 0.4)]
    assert best(result) is result[3]
    assert best([record(0, None)]) is None
    assert best([]) is None
    assert best([record(0, 0.0, 9.0)]).number == 0


@pytest.mark.parametrize(("metric", "value"), [(ACCURACY, 0.75), (LOSS, -0.9)])
def test_the_study_maximizes_the_metric(metric, value):
    study = optuna.create_study(direction="maximize")
    made = finish(study, described(study), Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 12.5), metric)
    assert (study.best_value, made.objective, made.score) == (value, value, Score({"accuracy": 0.75, "loss": 0.9}))


def test_the_winner_of_a_search_for_the_loss_may_have_the_lower_accuracy():
    study = optuna.create_study(direction="maximize")
    for accuracy, loss in ((0.9, 0.5), (0.8, 0.3)):
        finish(study, described(study), Judgement(Score({"accuracy": accuracy, "loss": loss}), 1.0), LOSS)
    assert best(records(study)).number == 1


F1 = Metric("F1Score", "maximize", "one_hot", {"average": "macro"})
HINGE = Metric("CategoricalHinge", "minimize", "one_hot")


@pytest.mark.parametrize(("metric", "score"), [(F1, 0.25), (HINGE, -0.25)])
def test_a_metric_of_keras_is_kept_whole_and_maximized(study, metric, score):
    made = finish(
        study, described(study), Judgement(Score({"accuracy": 0.75, "loss": 0.9, metric.name: 0.25}), 12.5), metric
    )
    assert records(study) == [made]
    assert (made.metric, made.score.figure(metric), made.objective, study.best_value) == (metric, 0.25, score, score)
    assert made.score.text == f"accuracy 0.7500, loss 0.9000, {metric.name} 0.2500"


def test_the_best_by_a_metric_is_the_lowest_where_lower_is_better(study):
    for value in (0.5, 0.3, 0.4):
        finish(
            study, described(study), Judgement(Score({"accuracy": value, "loss": 1.0, HINGE.name: value}), 1.0), HINGE
        )
    assert best(records(study)).number == 1


@pytest.mark.parametrize(
    ("judgement", "metric", "said"),
    [
        (Judgement(Score({"accuracy": 0.5, "loss": float("nan")}), 2.0), ACCURACY, "loss nan"),
        (Judgement(Score({"accuracy": 0.5, "loss": float("inf")}), 2.0), LOSS, "loss inf"),
        (Judgement(Score({"accuracy": 0.5, "loss": 1.0, "F1Score": float("nan")}), 2.0), F1, "F1Score nan"),
        (Judgement(Score({"accuracy": 0.5, "loss": 1.0}), 2.0), F1, "F1Score nan"),
    ],
)
def test_a_figure_that_is_not_finite_is_a_failed_trial(study, judgement, metric, said):
    made = finish(study, described(study), judgement, metric)
    assert (made.state, made.score, made.seconds) == ("failed", None, 2.0)
    assert made.error == f"expected finite figures on the validation images, received {said}"
    assert made.objective == -float("inf")
    assert best(records(study)) is None
