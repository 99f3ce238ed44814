"""The model between the stages of a search: made once, by the settings of today, and what finalists go on from."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from compress.errors import RunError
from compress.model_files.files import load_model
from compress.recipe import apply_parameters, used_values
from search.study.finalist import finalists
from search.study.judgement import Judgement
from search.study.ranking import best
from search.study.storage import JOURNAL_FILE
from search.study.trial_record import records
from search.workers.worker import model_bytes, model_of
from tests.search.fixtures.fake_pool import judged
from tests.search.fixtures.nets import DECOMPOSE_FIRST, PRUNE_FIRST, trained_like
from tests.search.strategies.staged_runs import FakePoolFactory, staged

ORDERS = [PRUNE_FIRST, DECOMPOSE_FIRST]
FIRST, MIDDLE, SECOND, FINALS = range(4)
NARROW = (12, 16)


def layers_of(built):
    return [(layer.name, [weight.shape for weight in layer.weights]) for layer in built.layers]


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
