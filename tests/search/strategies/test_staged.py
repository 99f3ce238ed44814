"""The staged search, with pools that need no Ray and a fine-tuning that only moves biases."""

import pytest

from compress.errors import BudgetError
from compress.graph.analysis import analyse
from compress.graph.model_channels import ModelChannels
from compress.model_files.files import load_model
from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters, check_parameters
from compress.staged_parameters import without_parts
from objectives.cost.cost_model import CostModel
from search.samplers.sensitivity import sensitivity_of
from search.study.finalist import finalists
from search.study.judgement import Judgement
from search.study.ranking import best, winner_of
from search.study.trial_record import records
from search.workers.worker import model_of
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
