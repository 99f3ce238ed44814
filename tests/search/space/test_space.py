"""What a proposal decodes to, and that the space's smallest model is its smallest."""

import itertools
from fractions import Fraction
from typing import get_args

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.decomposition.tucker import tucker_saves
from compress.graph.analysis import analyse
from compress.parameters import DECOMPOSE, PRUNE, ChannelStep, CompressionParameters, Rounding
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import FLOPS, PARAMS, SIZE
from objectives.cost.quantity import quantities
from search.space.space import PREFERENCE, SpaceSettings, suggested
from tests.search.fixtures.nets import (
    DECOMPOSE_FIRST,
    DECOMPOSE_ONLY,
    NETS,
    PRUNE_FIRST,
    PRUNE_ONLY,
    RECIPES,
    cost,
    model,
    space,
)

GRIDS = st.builds(
    SpaceSettings,
    ratio_max=st.sampled_from([0.5, 0.9, 0.95]),
    ratio_step=st.sampled_from([0.05, 0.1, 0.3]),
    rank_step=st.sampled_from([0.05, 0.1, 0.3, 0.4, 1.0]),
    step=st.builds(ChannelStep, st.sampled_from([1, 4]), st.sampled_from(get_args(Rounding))),
)


@st.composite
def proposals(draw):
    """A space and preferences for all of its dimensions."""
    result = space(draw(st.sampled_from(NETS)), draw(st.sampled_from(RECIPES)), draw(GRIDS))
    size = len(result.dimensions)
    values = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    return result, dict(zip(result.dimensions, values, strict=True))


def channels_left(result, parameters, layer):
    """(in, out) channels of a layer after pruning, counted on the graph's labels."""
    counts = result.cost.counts
    kept = counts.kept_subgroups(parameters.ratios, result.settings.step)
    node = result.graph.node(layer.layer)
    return counts.count(node.inputs[0], kept), counts.count(node.output, kept)


def test_dimensions_are_groups_and_rank_pairs():
    assert space("chain").dimensions == (
        *("keep:a", "keep:b", "keep:c"),
        *("rank_in:b", "rank_out:b", "rank_in:c", "rank_out:c"),
    )
    assert space("chain", PRUNE_ONLY).dimensions == ("keep:a", "keep:b", "keep:c")
    assert space("chain", DECOMPOSE_ONLY).dimensions == ("rank_in:b", "rank_out:b", "rank_in:c", "rank_out:c")


def test_decoded_by_hand():
    """b: 10 -> 12 channels; keep 0.65 is ratio 0.4 (6 of 10 stay), 0.5 is 0.5 (6 of 12); ranks are shares of those."""
    wanted = {"keep:a": 0.65, "keep:b": 0.5, "keep:c": 1.0}
    ranks = {"rank_in:b": 0.35, "rank_out:b": 0.5, "rank_in:c": 1.0, "rank_out:c": 1.0}
    parameters = space("chain").decode(space("chain").row(wanted | ranks))
    # 0.3 of 6 channels is 1.8: 2; 0.5 of 6 is 3. No ranks of c pay at full rank; c is not pruned.
    assert parameters == CompressionParameters({"a": 0.4, "b": 0.5}, {"b": (2, 3)})
    # Decomposed first, the same shares are of 10 and 12 channels.
    assert space("chain", DECOMPOSE_FIRST).decode(space("chain", DECOMPOSE_FIRST).row(wanted | ranks)).ranks == {
        "b": (3, 6)
    }


@given(proposals())
@settings(max_examples=150)
def test_decoded_values_are_on_the_grid_and_fit_the_layers(proposal):
    result, wanted = proposal
    grid, parameters = result.settings, result.decode(result.row(wanted))
    for group in result.groups:
        ratio = parameters.ratios.get(group.name, 0.0)
        # What a person would write: the shortest decimal is a whole multiple of the step, exactly.
        assert Fraction(repr(ratio)) % Fraction(repr(grid.ratio_step)) == 0
        assert ratio <= grid.ratio_max
        assert 0.0 not in parameters.ratios.values()
    for layer in result.layers:
        left = channels_left(result, parameters, layer)
        base = left if result.recipe[0] == PRUNE else (layer.in_channels, layer.out_channels)
        pair = parameters.ranks.get(layer.layer)
        if pair is not None:
            assert all(1 <= rank <= most for rank, most in zip(pair, base, strict=True))
            assert tucker_saves(result.graph.node(layer.layer), *left, pair)
    if PRUNE not in result.recipe:
        assert not parameters.ratios
    if DECOMPOSE not in result.recipe:
        assert not parameters.ranks


@given(proposals())
@settings(max_examples=150)
def test_encoded_parameters_decode_to_themselves(proposal):
    result, wanted = proposal
    parameters = result.decode(result.row(wanted))
    encoded = result.encode(parameters)
    assert set(encoded) == set(result.dimensions)
    assert result.decode(result.row(encoded)) == parameters


@given(proposals(), st.data())
@settings(max_examples=150)
def test_wanting_more_of_anything_never_costs_less(proposal, data):
    result, wanted = proposal
    name = data.draw(st.sampled_from(result.dimensions))
    more = wanted | {name: data.draw(st.floats(wanted[name], 1))}
    step = result.settings.step
    less, greater = (result.cost.cost(result.decode(result.row(proposed)), step) for proposed in (wanted, more))
    # Not memory: a layer that is whole again, wanting all its ranks, holds fewer tensors than the three in its place.
    assert all(quantity.of(less) <= quantity.of(greater) for quantity in (FLOPS, PARAMS, SIZE))


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_smallest_model_has_the_least_of_everything_on_the_whole_grid(recipe):
    grid = SpaceSettings(ratio_max=0.5, ratio_step=0.25, rank_step=0.5)
    result = space("chain", recipe, grid)
    kept, ranks = (0.5, 0.75, 1.0), (0.5, 1.0)
    points = itertools.product(*(kept if name.startswith("keep:") else ranks for name in result.dimensions))
    costs = [
        result.cost.cost(result.decode(result.row(dict(zip(result.dimensions, point, strict=True)))))
        for point in points
    ]
    for name in quantities().keys() - {"latency"}:  # There is no table.
        of = quantities()[name].of
        assert of(result.smallest()) == min(map(of, costs))


@pytest.mark.parametrize("step", [0.1, 0.3, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST])
def test_wanting_everything_leaves_the_model_whole(recipe, step):
    """Also for a step of which 1 is no multiple."""
    result = space("digits_resnet", recipe, SpaceSettings(rank_step=step))
    assert result.decode(result.row(dict.fromkeys(result.dimensions, 1.0))) == CompressionParameters.none()


@pytest.mark.parametrize("recipe", [PRUNE_FIRST, DECOMPOSE_FIRST])
def test_decoded_parameters_apply_and_cost_what_was_told(recipe):
    result = space("tiny", recipe)
    wanted = {name: 0.55 if name.startswith("keep:") else 0.3 for name in result.dimensions}
    parameters = result.decode(result.row(wanted))
    assert set(parameters.ratios.values()) == {0.5}
    assert parameters.ranks
    built = apply_parameters(model("tiny"), parameters, recipe)

    empty = CompressionParameters.none()
    assert CostModel(analyse(built)).cost(empty) == cost("tiny").cost(parameters)


def test_preferences_are_in_the_order_of_the_dimensions_and_within_their_bounds():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    row = suggested(trial, ("keep:b", "keep:a"))
    assert row.tolist() == [trial.params["keep:b"], trial.params["keep:a"]]
    assert trial.distributions == dict.fromkeys(("keep:b", "keep:a"), PREFERENCE)
    assert row.shape == (2,) and (row >= 0.1).all() and (row <= 1).all()
