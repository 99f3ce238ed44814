"""Who searches stage by stage without being asked to."""

from dataclasses import replace

import pytest

from compress.errors import BudgetError
from search.strategies.choice import decided
from tests.search.fixtures.nets import DECOMPOSE_FIRST, PRUNE_FIRST, trained_like
from tests.search.fixtures.runs import config
from tests.search.strategies.staged_runs import FakePoolFactory, staged


def job(home, recipe=PRUNE_FIRST, budget=0.4, **search):
    return staged(
        home, trained_like(), recipe, FakePoolFactory(), budget=budget, **{"strategy": "auto", "trials": 40, **search}
    ).job


def strategy(decision):
    return decision.config.search.strategy


def test_stage_by_stage_where_pruning_comes_first(tmp_path):
    given = job(tmp_path)
    decision = decided(given)
    assert (strategy(decision), decision.listener.notes) == ("staged", [])
    # Nothing else changes, nor what was given.
    assert strategy(given) == "auto"
    assert decision == replace(given, config=given.config.with_strategy("staged"))


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": ["prune"], "space": {"ranks": False}},
        {"recipe": ["decompose", "prune"]},
        {"finetune": {"epochs": 0}},
        {"search": {"trials": 39}},
        {"front": {"widest": "60%"}},
    ],
    ids=lambda changes: str(next(iter(changes.items()))),
)
def test_jointly_where_stages_are_impossible_or_find_less(tmp_path, changes):
    loaded = config(tmp_path, **{"finetune": {"epochs": 1}, "search": {"trials": 40}, **changes})
    decision = decided(replace(job(tmp_path), config=loaded))
    assert (strategy(decision), decision.listener.notes) == ("joint", [])


def test_jointly_where_a_stage_cannot_do_its_part(tmp_path):
    """Ranks alone do not take the model nearly all of the way to a fiftieth."""
    given = job(tmp_path, budget=0.02, staged={"budget": 0.1})
    decision = decided(given)
    assert strategy(decision) == "joint"
    (line,) = decision.listener.notes
    assert line.startswith(
        "ratios and ranks are searched together; a search in stages would be refused: stage 'decompose', 2 of 2: "
    )
    asked = replace(given, config=given.config.with_strategy("staged"))
    with pytest.raises(BudgetError, match="stage 'decompose', 2 of 2: "):
        decided(asked)


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST], ids="-".join)
@pytest.mark.parametrize("wanted", ["joint", "staged"])
def test_what_is_asked_for_is_done(tmp_path, recipe, wanted):
    assert strategy(decided(job(tmp_path, recipe, strategy=wanted, trials=2))) == wanted
