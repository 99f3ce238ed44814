"""The staged search, with pools that need no Ray and a fine-tuning that only moves biases."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from compress.errors import BudgetError, RunError
from compress.graph.analysis import analyse
from compress.graph.model_channels import ModelChannels
from compress.model_files.files import load_model
from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters, check_parameters, used_values
from compress.staged_parameters import without_parts
from objectives.cost.cost_model import CostModel
from search.samplers.sensitivity import sensitivity_of
from search.study.finalist import finalists
from search.study.judgement import Judgement
from search.study.ranking import best, winner_of
from search.study.storage import JOURNAL_FILE
from search.study.trial_record import records
from search.workers.worker import model_bytes, model_of
from tests.search.fixtures.fake_pool import judged
from tests.search.fixtures.nets import DECOMPOSE_FIRST, PRUNE_FIRST, model, trained_like
from tests.search.strategies.staged_runs import MAKING, RECOMMENDED, FakePoolFactory, staged
from zoo.tasks.metric import Score

ORDERS = [PRUNE_FIRST, DECOMPOSE_FIRST]
FIRST, MIDDLE, SECOND, FINALS = range(4)
NARROW = (12, 16)


def original_flops(net):
    return CostModel(analyse(net)).cost(CompressionParameters.none()).flops


@pytest.mark.parametrize("recipe", ORDERS, ids="-".join)
def test_each_stage_is_searched_alone_on_its_own_model(tmp_path, recipe):
    net, open_pool = trained_like(NARROW), FakePoolFactory()
    search = staged(tmp_path, net, recipe, open_pool, trials=7)
    assert search.pending
    search.run()
    assert not search.pending
    first, second = records(search.first), records(search.study)
    # Half of the trials each; of an odd number the second stage gets one more.
    assert ([record.stage for record in first], [record.stage for record in second]) == (
        [recipe[0]] * 4,
        [recipe[1]] * 3,
    )
    assert [len(pool.submitted) for pool in open_pool.pools] == [4, 1, 3, 3]
    pruned, decomposed = (FIRST, SECOND) if recipe == PRUNE_FIRST else (SECOND, FIRST)
    assert all(given.ratios and not given.ranks for given in open_pool.pools[pruned].submitted)
    assert all(given.ranks and not given.ratios for given in open_pool.pools[decomposed].submitted)
    assert [task.recipe for task in open_pool.tasks] == [recipe[:1], recipe[:1], recipe[1:], recipe]
    assert [task.final is None for task in open_pool.tasks] == [True, False, True, False]
    # The second stage's candidates learn from the original, not from what the first one has left of it.
    assert [task.teacher is None for task in open_pool.tasks] == [True, True, False, True]
    original, middle = open_pool.tasks[FIRST].model, open_pool.tasks[SECOND].model
    assert [task.model == original for task in open_pool.tasks] == [True, True, False, True]
    assert open_pool.tasks[SECOND].teacher == original
    assert model_of(middle).count_params() == load_model(search.folder.middle_model).count_params()


@pytest.mark.parametrize("recipe", ORDERS, ids="-".join)
def test_the_first_stage_goes_halfway_and_the_second_to_the_budget(tmp_path, recipe):
    net = trained_like(NARROW)
    search = staged(tmp_path, net, recipe, FakePoolFactory(), budget=0.36)
    search.run()
    flops = original_flops(net)
    # The geometric mean of 1 and 0.36 is 0.6.
    for trials, most in ((records(search.first), 0.6), (records(search.study), 0.36)):
        assert all(0.85 * most * flops < record.cost.flops <= most * flops for record in trials)


def test_each_stage_is_swept_first(tmp_path):
    """On its own model, and the start that follows from it is the first trial."""
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, FakePoolFactory(), sensitivity=True)
    search.run()
    for study, kinds in ((search.first, {"keep"}), (search.study, {"rank_in", "rank_out"})):
        assert {name.split(":")[0] for name in sensitivity_of(study).losses} == kinds
        assert records(study)[0].start == "sensitivity"


def test_shares_of_budget_and_trials_are_configured(tmp_path):
    net = trained_like(NARROW)
    search = staged(tmp_path, net, PRUNE_FIRST, FakePoolFactory(), budget=0.36, staged={"budget": 0.25, "trials": 0.8})
    search.run()
    assert [len(records(study)) for study in (search.first, search.study)] == [5, 1]
    assert max(record.cost.flops for record in records(search.first)) > 0.6 * original_flops(net)


@pytest.mark.parametrize(("trials", "share"), [(2, 0.01), (2, 0.99)])
def test_each_stage_has_at_least_one_trial(tmp_path, trials, share):
    search = staged(tmp_path, model("tiny"), PRUNE_FIRST, FakePoolFactory(), trials=trials, staged={"trials": share})
    search.run()
    assert [len(records(study)) for study in (search.first, search.study)] == [1, 1]


def layers_of(built):
    return [(layer.name, [weight.shape for weight in layer.weights]) for layer in built.layers]


@pytest.mark.parametrize("recipe", ORDERS, ids="-".join)
def test_parameters_make_of_the_original_what_the_second_stage_judged(tmp_path, recipe):
    """Architecture and cost, through the file that is exported."""
    net, open_pool = trained_like(NARROW), FakePoolFactory()
    search = staged(tmp_path, net, recipe, open_pool, trials=12)
    search.run()
    middle = search.plan.after_first(net, best(records(search.first)).parameters, search.job.pruning)
    graph, judged_parts = analyse(net), set()
    for record, given in zip(records(search.study), open_pool.pools[SECOND].submitted, strict=True):
        parameters = loads(dumps(record.parameters, ModelChannels.of(graph))).parameters
        check_parameters(graph, parameters, recipe)
        built = apply_parameters(net, parameters, recipe)
        assert layers_of(built) == layers_of(apply_parameters(middle, given, recipe[1:]))
        assert record.cost == CostModel(analyse(built)).cost(CompressionParameters.none())
        assert record.cost == CostModel(graph).cost(without_parts(parameters))
        assert record.cost.flops <= 0.4 * original_flops(net)
        judged_parts |= {name for name in given.ratios if name.endswith(("_tucker_0", "_tucker_1", "_tucker_2"))}
    assert bool(judged_parts) == (recipe == DECOMPOSE_FIRST)


def test_the_winner_of_the_finals_has_both_stages(tmp_path):
    search = staged(tmp_path, trained_like(NARROW), DECOMPOSE_FIRST, FakePoolFactory())
    search.run()
    won = winner_of(records(search.study), finalists(search.study))
    assert won.source.startswith("prune trial ")
    assert won.parameters.ranks == best(records(search.first)).parameters.ranks
    assert won.parameters.ratios
    assert {finalist.source for finalist in finalists(search.study)} > {won.source, "recommended values"}


STOPS = [*range(9), MAKING]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of 3 and 3 trials and 3 finalists that was never stopped."""
    search = staged(tmp_path_factory.mktemp("whole"), trained_like(NARROW), PRUNE_FIRST, FakePoolFactory())
    search.run()
    return [records(search.first), records(search.study), finalists(search.study)]


@pytest.mark.parametrize("stop", STOPS)
def test_a_search_that_was_stopped_anywhere_goes_on_as_if_it_never_was(tmp_path, whole, stop):
    cut = FakePoolFactory(stop)
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, cut).run()
    rest = FakePoolFactory()
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, rest)
    search.run()
    assert [records(search.first), records(search.study), finalists(search.study)] == whole
    # Nothing is judged twice but what was under way.
    assert cut.judged + rest.judged == 9
    again = FakePoolFactory()
    done = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, again)
    assert not done.pending
    done.run()
    assert again.pools == []


def test_the_middle_model_is_made_once_and_kept(tmp_path):
    net = trained_like(NARROW)
    cut = FakePoolFactory(stop_at=4)
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, net, PRUNE_FIRST, cut).run()
    open_pool = FakePoolFactory()
    search = staged(tmp_path, net, PRUNE_FIRST, open_pool)
    search.run()
    assert [sum(len(pool.made) for pool in either.pools) for either in (cut, open_pool)] == [1, 0]
    middle, plain = (
        load_model(search.folder.middle_model),
        search.plan.after_first(net, best(records(search.first)).parameters, search.job.pruning),
    )
    assert layers_of(middle) == layers_of(plain)
    assert np.array_equal(middle.layers[-1].bias, plain.layers[-1].bias + 1)


def test_the_middle_model_of_a_study_that_was_deleted_is_made_anew(tmp_path):
    """The folder still holds the one of another original: its second stage would be searched on a stranger."""
    net = trained_like(NARROW)
    old = staged(tmp_path, net, PRUNE_FIRST, FakePoolFactory())
    old.run()
    (old.folder.path / JOURNAL_FILE).unlink()
    other, open_pool = keras.models.clone_model(net), FakePoolFactory()
    other.set_weights([2 * weight for weight in net.get_weights()])
    search = staged(tmp_path, other, PRUNE_FIRST, open_pool)
    search.run()
    made = search.plan.after_first(other, best(records(search.first)).parameters, search.job.pruning)
    for searched in (load_model(search.folder.middle_model), model_of(open_pool.tasks[SECOND].model)):
        assert np.array_equal(searched.layers[-1].kernel, made.layers[-1].kernel)


@pytest.mark.parametrize("is_same", [True, False])
def test_a_middle_model_that_is_gone_is_made_anew_and_told_if_it_differs(tmp_path, is_same):
    cut = FakePoolFactory(stop_at=5)
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, cut).run()
    open_pool = FakePoolFactory()
    if not is_same:
        open_pool._make = lambda task, parameters: replace(
            judged(parameters), model=model_bytes(apply_parameters(model_of(task.model), parameters, task.recipe))
        )
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, open_pool)
    search.folder.middle_model.unlink()
    search.run()
    assert sum(len(pool.made) for pool in open_pool.pools) == 1
    told = [line for line in search.job.listener.warnings if "the 2 trials of the second stage" in line]
    assert len(told) == (not is_same)


@pytest.mark.parametrize(("stop", "is_swept", "is_remade"), [(3, False, True), (4, False, False), (10, True, False)])
def test_another_fine_tuning_reaches_the_middle_model_until_something_is_judged_on_it(
    tmp_path, stop, is_swept, is_remade
):
    """Stopped before and after the first trial of the second stage, and behind the first two probes of its sweep."""
    cut, net = FakePoolFactory(stop), trained_like(NARROW)
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, net, PRUNE_FIRST, cut, sensitivity=is_swept).run()
    open_pool = FakePoolFactory()
    search = staged(tmp_path, net, PRUNE_FIRST, open_pool, sensitivity=is_swept, finetune={"learning_rate": 0.007})
    search.run()
    assert [sum(len(pool.made) for pool in either.pools) for either in (cut, open_pool)] == [1, is_remade]
    told = [*search.job.listener.notes, *search.job.listener.warnings]
    (line,) = [line for line in told if "the section finetune has changed: '" in line]
    assert ("is made anew" if is_remade else "stays as it is") in line
    again = staged(tmp_path, net, PRUNE_FIRST, FakePoolFactory(), trials=7, finetune={"learning_rate": 0.007})
    again.run()
    assert again.job.listener.warnings == ([] if is_remade else [line])


def test_the_middle_model_is_trained_as_a_finalist_is(tmp_path):
    """On workers, which have the GPUs, and for as many epochs."""
    open_pool = FakePoolFactory()
    staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, open_pool).run()
    assert open_pool.tasks[MIDDLE].final == replace(open_pool.tasks[FINALS].final, middle=None)


@pytest.mark.parametrize("recipe", ORDERS, ids="-".join)
def test_finalists_go_on_from_the_middle_model(tmp_path, recipe):
    open_pool = FakePoolFactory()
    search = staged(tmp_path, trained_like(NARROW), recipe, open_pool)
    search.run()
    middle = open_pool.tasks[FINALS].final.middle
    assert middle.parameters == best(records(search.first)).parameters
    assert middle.model == search.folder.middle_model.read_bytes()
    starts = [used_values(given, recipe[:1]) for given in open_pool.pools[FINALS].submitted if given is not None]
    assert starts == [middle.parameters] * 2


@pytest.mark.parametrize("change", ["another fine-tuning", "no model"])
def test_finalists_begin_with_the_original_where_the_middle_model_is_not_made_alike(tmp_path, change):
    net = trained_like(NARROW)
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, net, PRUNE_FIRST, FakePoolFactory(6)).run()  # After the last trial.
    open_pool = FakePoolFactory()
    rate = {"learning_rate": 0.007} if change == "another fine-tuning" else {}
    search = staged(tmp_path, net, PRUNE_FIRST, open_pool, finetune=rate)
    if change == "no model":
        search.folder.middle_model.unlink()
    search.run()
    assert [task.final.middle for task in open_pool.tasks] == [None]
    assert len(finalists(search.study)) == 3


def test_a_winner_that_cannot_be_fine_tuned_says_why(tmp_path):
    open_pool = FakePoolFactory()
    open_pool._make = lambda task, parameters: Judgement.failed(1.0, "loss is nan")
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, open_pool)
    with pytest.raises(RunError) as raised:
        search.run()
    source = best(records(search.first)).source
    assert str(raised.value) == f"{source} cannot be fine-tuned for the second stage: loss is nan"
    assert not search.folder.middle_model.exists()


def test_more_trials_than_before_go_to_the_second_stage(tmp_path):
    staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, FakePoolFactory()).run()
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, FakePoolFactory(), trials=9)
    assert search.pending
    search.run()
    assert [len(records(study)) for study in (search.first, search.study)] == [3, 6]


def test_each_stage_ends_where_its_trials_bring_nothing_more(tmp_path, monkeypatch):
    """All score the same: the first is the best; of what was proposed after it, behind the starts, one is no better."""
    monkeypatch.setattr("search.study.improvements.RANDOM_PROPOSALS", 0)
    open_pool = FakePoolFactory()
    open_pool._judge = lambda parameters: Judgement(
        Score({"accuracy": 0.5, "loss": 1.0}), 1.0, parameters=None if parameters else RECOMMENDED
    )
    given = {"trials": 20, "early_stopping": 1}
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, open_pool, **given)
    search.run()
    assert [len(records(study)) for study in (search.first, search.study)] == [4, 3]
    starts = [[one.start is not None for one in records(study)] for study in (search.first, search.study)]
    assert starts == [[True, True, True, False], [True, True, False]]
    told = [line.partition(":")[0] for line in search.job.listener.notes if "enough" in line]
    assert told == ["4 of 10 trials are enough", "3 of 16 trials are enough"]
    assert len(finalists(search.study)) == 3
    again = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, FakePoolFactory(), **given)
    assert not again.pending


def test_stages_are_told(tmp_path):
    search = staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, FakePoolFactory())
    search.run()
    source = best(records(search.first)).source
    assert search.job.listener.notes == [
        "stage 1 of 2: prune",
        f"fine-tuning {source} for 1 epoch",
        f"stage 2 of 2: decompose, on {source}",
    ]


def test_a_first_stage_without_a_usable_trial_says_why(tmp_path):
    open_pool = FakePoolFactory()
    open_pool._judge = lambda parameters: Judgement.failed(1.0, "loss is nan")
    with pytest.raises(BudgetError) as raised:
        staged(tmp_path, trained_like(NARROW), PRUNE_FIRST, open_pool).run()
    assert str(raised.value) == "none of the 3 trials of stage 'prune' can be used: loss is nan"
