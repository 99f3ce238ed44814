"""The finals: who takes part, what is kept of them, and who wins."""

from dataclasses import replace

import optuna
import pytest

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.budget.budget import Budget, Limit
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import FLOPS as FLOPS_QUANTITY
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.final_models import FinalModels
from search.driver.finals import Finals
from search.space.levels import Levels
from search.study.finalist import RECOMMENDED, Finalist, finalists
from search.study.identity import Origin
from search.study.judgement import Judgement, Rung, keep_rung
from search.study.ranking import Winner, best, winner_of
from search.study.storage import open_study
from search.study.trial_record import describe, finish, records
from tests.search.fixtures.fake_pool import FakePool, judged
from tests.search.fixtures.nets import DECOMPOSE_FIRST, cost, flops_budget, model, space
from tests.search.fixtures.recorder import Recorder
from zoo.tasks.metric import ACCURACY, LOSS, Metric, Score

NONE = CompressionParameters.none()
FLOPS = cost("tiny").cost(NONE).flops
HALF = flops_budget(0.5 * FLOPS, "0.5")
ROOMY = CompressionParameters({"add": 0.0625}, {})
SMALL = CompressionParameters({"add": 0.5, "block.conv1": 0.5, "conv2": 0.5}, {})


def searched(study, trials=6):
    Driver(study, space("tiny"), HALF, DriverSettings(3, "tpe", trials, True)).run(FakePool(2), Recorder())
    return study


def memory():
    return searched(optuna.create_study(direction="maximize"))


def finals(study, candidates=2, metric=ACCURACY):
    return Finals(study, space("tiny"), HALF, candidates, metric)


def reversed_order(recommended=SMALL):
    """Fine-tuning turns the trials' order round."""

    def judge(parameters):
        if parameters is None:
            return Judgement(Score({"accuracy": 0.0, "loss": 2.0}), 1.0, parameters=recommended)
        return Judgement(Score({"accuracy": 1 - judged(parameters).score.figures["accuracy"], "loss": 1.0}), 1.0)

    return judge


def test_the_best_trials_and_the_recommended_values_take_part():
    study = memory()
    by_score = sorted(records(study), key=lambda record: (-record.score.figures["accuracy"], record.score.loss))
    entries = finals(study, 3).pending
    assert entries[0] == (RECOMMENDED, None)
    assert [source for source, _ in entries[1:]] == [f"trial {record.number}" for record in by_score[:3]]
    assert [parameters for _, parameters in entries[1:]] == [record.parameters for record in by_score[:3]]


def test_equal_parameters_take_part_once():
    study = memory()
    first = records(study)[0]
    for accuracy in (0.999, 0.998):
        trial = study.ask()
        describe(trial, first.parameters, first.cost, None)
        keep_rung(trial, Rung(30, Score({"accuracy": accuracy, "loss": 0.1}), accuracy))
        finish(study, trial, Judgement(Score({"accuracy": accuracy, "loss": 0.1}), 1.0))
    sources = [source for source, parameters in finals(study, 3).pending if parameters == first.parameters]
    assert sources == ["trial 6"]


def test_the_finals_decide():
    study, listener = memory(), Recorder()
    work = finals(study, 3)
    work.run(FakePool(2, judge=reversed_order()), listener)
    assert listener.finals == 4
    assert work.pending == []
    kept = {finalist.source: finalist for finalist in finalists(study)}
    assert kept == {finalist.source: finalist for finalist in listener.finalists}
    assert kept[RECOMMENDED].parameters == SMALL
    assert kept[RECOMMENDED].cost == cost("tiny").cost(SMALL)
    worst = min(
        (record for record in records(study) if record.source in kept),
        key=lambda record: record.score.figures["accuracy"],
    )
    won = winner_of(records(study), finalists(study))
    assert won == Winner(
        worst.source,
        worst.parameters,
        worst.cost,
        Score({"accuracy": 1 - worst.score.figures["accuracy"], "loss": 1.0}),
    )
    assert won.source != best(records(study)).source


def test_recommended_values_over_the_budget_cannot_win():
    study = memory()
    finals(study, 1).run(
        FakePool(
            1, judge=lambda given: Judgement(Score({"accuracy": 1.0, "loss": 0.0}), 1.0, parameters=given or ROOMY)
        ),
        Recorder(),
    )
    result = next(finalist for finalist in finalists(study) if finalist.source == RECOMMENDED)
    flops = cost("tiny").cost(ROOMY).flops
    assert result.error == f"they need {flops} FLOPs, the budget allows {0.5 * FLOPS:.0f}"
    assert result.score is None
    assert winner_of(records(study), finalists(study)).source != RECOMMENDED


def test_a_trial_at_a_wider_level_of_a_front_may_cost_more_than_the_budget():
    study = optuna.create_study(directions=["maximize", "minimize"])
    levels = Levels.between(HALF, Limit(FLOPS_QUANTITY, 0.8 * FLOPS, "0.8"), 2, cost("tiny").cost(NONE))
    Driver(study, space("tiny"), HALF, DriverSettings(3, "tpe", 6, True), levels).run(FakePool(2), Recorder())
    work = finals(study, 1)
    work.run(
        FakePool(
            1, judge=lambda given: Judgement(Score({"accuracy": 0.5, "loss": 0.2}), 1.0, parameters=given or SMALL)
        ),
        Recorder(),
    )
    result = finalists(study)
    assert [finalist.error for finalist in result] == [None] * 3
    assert sorted(finalist.cost.flops > 0.5 * FLOPS for finalist in result) == [False, False, True]
    assert work.pending == []
    assert winner_of(records(study), result).cost.flops <= 0.5 * FLOPS


def test_recommended_values_may_prune_the_parts_of_layers_that_were_decomposed_first():
    study = memory()
    given = CompressionParameters(
        {"conv2_tucker_0": 0.5, "conv2_tucker_2": 0.5, "block.conv1": 0.5, "add": 0.25}, {"conv2": (8, 8)}
    )
    work = Finals(study, space("tiny", DECOMPOSE_FIRST), HALF, 1, ACCURACY)
    work.run(
        FakePool(
            1, judge=lambda other: Judgement(Score({"accuracy": 1.0, "loss": 0.0}), 1.0, parameters=other or given)
        ),
        Recorder(),
    )
    result = next(finalist for finalist in finalists(study) if finalist.source == RECOMMENDED)
    built = apply_parameters(model("tiny"), given, DECOMPOSE_FIRST)
    assert result.cost == CostModel(analyse(built)).cost(CompressionParameters.none())


def test_the_limit_that_recommended_values_break_is_named():
    study, original = memory(), cost("tiny").cost(CompressionParameters.none())
    budget = Budget.parse({"flops": 1.0, "params": "2x"}, original)
    work = Finals(study, space("tiny"), budget, 1, ACCURACY)
    work.run(
        FakePool(
            1, judge=lambda given: Judgement(Score({"accuracy": 1.0, "loss": 0.0}), 1.0, parameters=given or ROOMY)
        ),
        Recorder(),
    )
    result = next(finalist for finalist in finalists(study) if finalist.source == RECOMMENDED)
    params = cost("tiny").cost(ROOMY).params
    assert result.error == f"they need {params} parameters, the budget allows {original.params / 2:.0f}"


def test_finalists_of_other_settings_are_judged_again(tmp_path):
    """Those of one more trial than take part now, too: none is ranked with what was fine-tuned in another way."""
    study, listener = searched(open_study(tmp_path, "run", "journal")), Recorder()
    replace(finals(study, 3), tuning="10 epochs").run(FakePool(1, judge=reversed_order()), listener)
    same = replace(finals(study, 3), tuning="10 epochs")
    assert (same.pending, listener.notes) == ([], [])
    work, pool = replace(finals(study, 2), tuning="2 epochs"), FakePool(1, judge=reversed_order(ROOMY))
    assert len(work.pending) == 3
    work.run(pool, listener)
    assert listener.notes == ["the section finetune has changed: finalists judged before are judged again: 4"]
    result = finalists(open_study(tmp_path, "run", "journal"))
    assert [finalist.tuning for finalist in result] == ["2 epochs"] * 3
    assert [finalist.source for finalist in result][0] == RECOMMENDED and work.pending == []


def with_models(judge):
    """Judgements with the candidate's parameters as its model."""
    return lambda given: replace(judge(given), model=repr(given).encode())


def kept_files(folder):
    return {path.stem: path.read_bytes() for path in folder.glob("*.keras")}


def test_models_of_finalists_are_kept_and_those_of_other_settings_forgotten(tmp_path):
    study = searched(open_study(tmp_path, "run", "journal"))
    study.set_user_attr("model", "digest")
    study.set_user_attr("data", {"pixels": "digest"})
    work = replace(finals(study, 3), tuning="10 epochs", models=FinalModels(tmp_path / "finalists"))
    work.run(FakePool(1, judge=with_models(reversed_order())), Recorder())
    entries = {f.source.replace(" ", "-"): None if f.source == RECOMMENDED else f.parameters for f in finalists(study)}
    assert kept_files(tmp_path / "finalists") == {name: repr(given).encode() for name, given in entries.items()}
    origin = Origin("digest", {"pixels": "digest"})
    recommended = work.models.kept(origin, "10 epochs", lambda model: model.source == RECOMMENDED)
    assert recommended.parameters == SMALL

    # Of the others one fails, and the recommended values are over the budget: neither has a model to choose.
    def judge(given):
        failed = given is not None and given == finalists(study)[0].parameters
        judged_well = reversed_order(NONE)(given)
        return Judgement.failed(1.0, "loss is nan") if failed else judged_well

    again = replace(finals(study, 2), tuning="2 epochs", models=work.models)
    again.run(FakePool(1, judge=with_models(judge)), Recorder())
    usable = {finalist.source.replace(" ", "-") for finalist in finalists(study) if finalist.error is None}
    assert kept_files(tmp_path / "finalists").keys() == usable and "recommended-values" not in usable


def test_failed_finals_leave_the_best_trial_the_winner():
    study = memory()
    finals(study).run(FakePool(2, judge=lambda given: Judgement.failed(1.0, "loss is nan")), Recorder())
    assert [finalist.error for finalist in finalists(study)] == ["loss is nan"] * 3
    assert winner_of(records(study), finalists(study)).source == best(records(study)).source


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_interrupted_finals_go_on_where_they_stopped(tmp_path, kind):
    study = searched(open_study(tmp_path, "run", kind))
    with pytest.raises(KeyboardInterrupt):
        finals(study, 3).run(FakePool(1, judge=reversed_order(), stop_after=2), Recorder())
    resumed = open_study(tmp_path, "run", kind)
    assert len(finalists(resumed)) == 2
    work, pool = finals(resumed, 3), FakePool(1, judge=reversed_order())
    assert len(work.pending) == 2
    work.run(pool, Recorder())
    assert len(pool.submitted) == 2
    assert len(finalists(open_study(tmp_path, "run", kind))) == 4


def test_no_candidates_no_finals():
    assert finals(memory(), 0).pending == []


def finalist(source, accuracy, loss, metric=ACCURACY):
    return Finalist(
        source,
        SMALL,
        Cost(1, 1, 4),
        None if accuracy is None else Score({"accuracy": accuracy, "loss": loss}),
        1.0,
        None,
        metric,
    )


@pytest.mark.parametrize(("metric", "expected"), [(ACCURACY, "b"), (LOSS, "c")])
def test_the_best_finalist_is_that_of_the_metric(metric, expected):
    result = [finalist("a", 0.9, 0.5, metric), finalist("b", 0.9, 0.4, metric), finalist("c", 0.8, 0.3, metric)]
    assert best(result).source == expected


def test_a_metric_of_keras_decides_the_finals():
    metric = Metric("CategoricalHinge", "minimize", "one_hot")
    study = optuna.create_study(direction="maximize")

    def judge(parameters):
        if parameters is None:
            return Judgement(Score({"accuracy": 0.9, "loss": 0.1, metric.name: float("nan")}), 1.0, parameters=SMALL)
        made = judged(parameters)
        return replace(made, score=Score({**made.score.figures, metric.name: made.score.figures["accuracy"]}))

    settings = DriverSettings(3, "tpe", 6, True, metric)
    Driver(study, space("tiny"), HALF, settings).run(FakePool(2, judge), Recorder())
    finals(study, 6, metric).run(FakePool(2, judge), Recorder())
    kept = {finalist.source: finalist for finalist in finalists(study)}
    assert kept[RECOMMENDED].error == "expected finite figures on the validation images, received CategoricalHinge nan"
    lowest = min(records(study), key=lambda record: record.score.figure(metric))
    won = winner_of(records(study), finalists(study))
    assert (won.source, won.metric, won.score) == (lowest.source, metric, lowest.score)
    figure = won.score.figure(metric)
    assert won.figures == f"validation accuracy {figure:.4f}, CategoricalHinge {figure:.4f}"
