"""A space with choices per layer: dimensions, what is decoded, the smallest, projection, sweep, starts, samplers."""

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import BudgetError
from compress.graph.choices import UNPRUNED, WHOLE, Bounds, Choices, LayerChoice
from compress.parameters import CompressionParameters
from objectives.budget.budget import Budget, Limit
from objectives.cost.quantities.standard import FLOPS, MEMORY
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.samplers.probes import WHOLE as WHOLE_MODEL
from search.samplers.probes import parts_of
from search.samplers.sensitivity import Loss, Sensitivity
from search.samplers.starts import least_loss, starts
from search.space.projection import Projection
from search.space.space import SpaceSettings
from search.study.trial_record import records
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import DECOMPOSE_FIRST, PRUNE_FIRST, RECIPES, cost, flops_budget, model, space
from tests.search.samplers.sampler_names import ALL

KEEP = (UNPRUNED, (WHOLE, WHOLE))
CHOICES = (
    LayerChoice("*", ratio=Bounds(0.0, 0.6)),
    # With block.conv2, the group "add"; no convolution of it can be decomposed but block.conv2.
    LayerChoice("conv1", *KEEP),
    LayerChoice("block.conv1", ratio=Bounds(0.25, 0.25)),
    LayerChoice("conv2", ranks=(Bounds(0.2, 0.5), Bounds(3, 6))),
    LayerChoice("block.conv2", ranks=(Bounds(0.5, 0.5), Bounds(5, 5))),
)


def chosen(recipe=PRUNE_FIRST, choices=CHOICES, name="tiny", **grid):
    return space(name, recipe, SpaceSettings(choices=Choices(choices), **grid))


def decoded(result, fraction):
    return result.decode(np.full(len(result.dimensions), fraction))


def test_what_is_fixed_has_no_dimension():
    assert chosen().dimensions == (
        "keep:conv2",
        *("rank_in:block.conv1", "rank_out:block.conv1", "rank_in:conv2", "rank_out:conv2"),
    )


def test_decoded_by_hand():
    """block.conv2 reads the 12 channels that block.conv1 keeps of 16: half of them is rank 6."""
    result = chosen()
    fixed = {"block.conv2": (6, 5)}
    # Of conv2 at most 8 of 16 input channels, and 6 of its own; block.conv1 may stay whole.
    assert decoded(result, 1.0) == CompressionParameters({"block.conv1": 0.25}, {**fixed, "conv2": (8, 6)})
    # conv2 keeps ceil(24 x 0.4) = 10 channels; ranks ceil(16 x 0.2) = 4 and 3, not 1; ceil(16 / 10), ceil(12 / 10).
    smallest = {**fixed, "block.conv1": (2, 2), "conv2": (4, 3)}
    assert decoded(result, 0.0) == CompressionParameters({"block.conv1": 0.25, "conv2": 0.6}, smallest)
    # ceil(16 x 0.3) = 5; 24 x 0.6 = 14.4 kept, so 15, and a third of that in steps of tenths is 5.
    assert decoded(result, 0.3).ranks["conv2"] == (5, 3)


def test_ranks_that_are_fixed_first_are_of_the_original_channels():
    assert decoded(chosen(DECOMPOSE_FIRST), 1.0).ranks["block.conv2"] == (8, 5)


def test_ends_that_are_not_on_the_grid_are_choices():
    result = chosen(choices=(LayerChoice("conv2", ratio=Bounds(0.15, 0.55)),), ratio_step=0.2)
    wanted = dict.fromkeys(result.dimensions, 1.0)
    ratios = [
        result.decode(result.row({**wanted, "keep:conv2": keep})).ratios["conv2"] for keep in (1.0, 0.7, 0.5, 0.1)
    ]
    assert ratios == [0.15, 0.4, 0.55, 0.55]


def test_ratios_beyond_the_largest_of_the_others():
    result = chosen(choices=(LayerChoice("conv2", ratio=Bounds(0.0, 0.8)),), ratio_max=0.5)
    assert decoded(result, 0.0).ratios == {"add": 0.5, "block.conv1": 0.5, "conv2": 0.8}


def test_only_fixed_ranks_apply_where_they_save_nothing():
    """Half of both ranks of the pointwise convolution c cost more than it does; so do all but one of its 12 inputs."""
    bounded, fixed = Bounds(0.5, 0.9), Bounds(0.5, 0.5)
    for bounds, expected in ((bounded, {}), (fixed, {"c": (6, 4)})):
        result = chosen(name="chain", choices=(LayerChoice("c", ranks=(bounds, bounds)),))
        assert decoded(result, 1.0).ranks == expected


def test_the_smallest_keeps_what_choices_keep():
    """By memory too: what is always decomposed cannot be whole, and what is kept cannot be less."""
    result = chosen(choices=(LayerChoice("*", *KEEP), LayerChoice("conv2", ranks=(Bounds(16, 16), Bounds(24, 24)))))
    assert not result.dimensions
    whole = result.cost.cost(CompressionParameters.none())
    assert result.smallest() == whole  # All ranks of it: whole.
    result = chosen(choices=(LayerChoice("*", *KEEP), LayerChoice("conv2", ranks=(Bounds(16, 16), Bounds(23, 23)))))
    made = result.cost.cost(CompressionParameters({}, {"conv2": (16, 23)}))
    assert result.smallest() == made and made.flops > whole.flops


def inside(result, parameters):
    """Whether parameters are within the bounds of CHOICES, on "tiny"."""
    ratios, ranks = parameters.ratios, parameters.ranks
    prunes, decomposes = bool(result.groups), bool(result.layers)
    half = 6 if prunes and result.recipe[0] == "prune" else 8
    assert ratios.get("block.conv1") == (0.25 if prunes else None) and "add" not in ratios
    assert 0 <= ratios.get("conv2", 0.0) <= 0.6
    assert ranks.get("block.conv2") == ((half, 5) if decomposes else None)
    if decomposes:
        assert 4 <= ranks["conv2"][0] <= 8 and 3 <= ranks["conv2"][1] <= 6
    return True


@given(st.data())
@settings(max_examples=30)
def test_projected_proposals_are_within_bounds_and_budget(data):
    result = chosen(data.draw(st.sampled_from(RECIPES)), rank_step=data.draw(st.sampled_from([0.1, 0.4])))
    smallest, largest = result.smallest(), result.cost.cost(result.largest)
    quantity = data.draw(st.sampled_from([FLOPS, MEMORY]))
    ends = sorted((quantity.of(smallest), quantity.of(largest)))
    budget = Budget((Limit(quantity, float(data.draw(st.integers(*map(int, ends)))), "drawn"),))
    wanted = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(result.dimensions), max_size=5)))
    candidate = Projection(result, budget)(wanted[: len(result.dimensions)])
    assert inside(result, candidate.parameters) and budget.violation(candidate.cost) <= 0


def test_what_many_keep_is_what_each_keeps():
    result = chosen()
    projection = Projection(result, half())
    wanted = np.random.default_rng(0).uniform(0.1, 1, (8, len(result.dimensions)))
    alone = [result.cost.candidate(projection(row).parameters) for row in wanted]
    kept = [result.arrays.fractions(*candidate)[0] for candidate in alone]
    assert np.allclose(projection.many(wanted), kept)


def half():
    return flops_budget(0.45 * cost("tiny").cost(CompressionParameters.none()).flops, "45%")


@pytest.mark.parametrize("name", ALL)
def test_every_sampler_proposes_within_bounds_and_uses_the_budget(name):
    result, study = chosen(), optuna.create_study(direction="maximize")
    Driver(study, result, half(), DriverSettings(0, name, 14, True)).run(FakePool(), Listener())
    trials = records(study)
    assert len(trials) == 14 and all(inside(result, trial.parameters) for trial in trials)
    assert all(0.85 * half().limits[0].most < trial.cost.flops <= half().limits[0].most for trial in trials)


def test_starts_and_sweep_leave_out_what_is_kept_and_fixed():
    result, project = chosen(), Projection(chosen(), half())
    parts = parts_of(result)
    assert {part.name: part.dimensions for part in parts} == {
        "conv2": ("keep:conv2",),
        "ranks of block.conv1": ("rank_in:block.conv1", "rank_out:block.conv1"),
        "ranks of conv2": ("rank_in:conv2", "rank_out:conv2"),
    }
    assert WHOLE_MODEL.parameters(result) == result.largest
    assert all(part.parameters(result) != result.largest for part in parts)
    wanted = least_loss(
        Sensitivity({name: Loss(0.1, 0.5) for part in parts for name in part.dimensions}), result, half()
    )
    for start in (*starts(model("tiny"), result, half()).values(), wanted):
        assert set(start) == set(result.dimensions)
        assert inside(result, project(result.row(start)).parameters)


@pytest.mark.parametrize(
    ("bounds", "kept"), [(Bounds(0.0, 0.3), 0.7), (Bounds(0.2, 0.8), 0.5), (Bounds(0.5, 0.8), 1 - 0.8)]
)
def test_a_probe_keeps_half_or_what_its_bounds_allow(bounds, kept):
    (part,) = [part for part in parts_of(chosen(choices=(LayerChoice("conv2", bounds),))) if part.name == "conv2"]
    assert part.kept == pytest.approx(kept)


def test_a_budget_that_bounds_make_unreachable_says_why():
    result = chosen()
    smallest = result.smallest().flops
    with pytest.raises(BudgetError, match=f"at least {smallest} FLOPs, .*, or widen the choices of space.layers"):
        Projection(result, flops_budget(smallest - 1.0, "1")).check_reachable()
