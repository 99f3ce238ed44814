import re

import numpy as np
import pytest

from compress.decomposition.tucker import decompose
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelCounts
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.recipe import Values, apply_parameters, check_parameters, compress_in_stages, own_values
from tests.compress.fixtures import models
from tests.compress.fixtures.models import images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs

ORDERS = [("prune", "decompose"), ("decompose", "prune")]


@pytest.mark.parametrize("recipe", ORDERS, ids="-".join)
def test_both_stages_in_either_order(recipe):
    ratios = {"conv1": 0.5, "b0.conv1": 0.4, "add_1": 0.25, "b1.conv1": 0.3}
    ranks = {"b0.conv2": (2, 4), "b1.conv1": (5, 3), "b0.shortcut": (4, 4)}
    small = apply_parameters(randomized(models.residual()), CompressionParameters(ratios, ranks), recipe)
    shapes = {layer.name: tuple(layer.kernel.shape) for layer in small.layers if hasattr(layer, "kernel")}
    assert shapes == {
        "conv1": (3, 3, 3, 4),
        "b0.conv1": (3, 3, 4, 3),
        "b0.conv2_tucker_0": (1, 1, 3, 2),
        "b0.conv2_tucker_1": (3, 3, 2, 4),
        "b0.conv2_tucker_2": (1, 1, 4, 6),
        "b0.shortcut_tucker_0": (1, 1, 4, 4),
        "b0.shortcut_tucker_1": (1, 1, 4, 4),
        "b0.shortcut_tucker_2": (1, 1, 4, 6),
        "b1.conv1_tucker_0": (1, 1, 6, 5),
        "b1.conv1_tucker_1": (3, 3, 5, 3),
        "b1.conv1_tucker_2": (1, 1, 3, 5),
        "b1.conv2": (3, 3, 5, 6),
        "linear": (6, 3),
    }
    assert np.isfinite(outputs(small, images(small))[0]).all()


def test_full_ranks_after_pruning_equal_pruning():
    model, ratios = randomized(models.residual()), {"conv1": 0.5, "add_1": 0.25}
    pruned = prune(model, ratios)
    ranks = {"b0.conv2": (5, 6), "b0.shortcut": (4, 6)}
    assert_same_outputs(apply_parameters(model, CompressionParameters(ratios, ranks)), pruned)


def test_pruning_a_decomposed_model_by_the_original_names():
    model = decompose(randomized(models.chain()), {"conv2": (8, 6)})
    graph = analyse(model)
    assert graph.group("conv2").name == "conv2_tucker_2"
    by_new, by_old = prune(model, {"conv2_tucker_2": 0.5}), prune(model, {"conv2": 0.5})
    assert by_old.get_layer("conv2_tucker_2").filters == 3
    for old, new in zip(by_old.get_weights(), by_new.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    blocks = {group.name: group.subgroups for group in graph.groups}
    assert ChannelCounts.of(graph).kept_subgroups({"conv2": 0.5}).tolist()[list(blocks).index("conv2_tucker_2")] == 3


def test_stages_take_their_values_from_the_model_as_it_is_and_are_fine_tuned():
    seen, tuned = [], []

    def ratios(model):
        seen.append([layer.name for layer in model.layers if layer.name.startswith("conv2")])
        return {"conv2": 0.5}

    def ranks(model):
        seen.append(model.get_layer("conv2").filters)
        return {"conv2": (2, 2)}

    def fine_tune(model, stage):
        tuned.append((stage, len(model.layers)))
        model.get_layer("linear").bias.assign([7.0, 8.0, 9.0])

    original = randomized(models.chain())
    made = compress_in_stages(original, Values(ratios, ranks), ("decompose", "prune"), fine_tune=fine_tune)
    assert seen == [6, ["conv2_tucker_0", "conv2_tucker_1", "conv2_tucker_2"]]
    assert tuned == [("decompose", len(original.layers) + 2), ("prune", len(original.layers) + 2)]
    assert made.parameters == CompressionParameters({"conv2": 0.5}, {"conv2": (2, 2)})
    np.testing.assert_array_equal(made.model.get_layer("linear").bias, [7, 8, 9])
    assert not np.array_equal(original.get_layer("linear").bias, [7, 8, 9])


def test_a_single_stage_uses_only_its_values():
    model = randomized(models.chain())
    made = compress_in_stages(model, own_values(CompressionParameters({"conv1": 0.5}, {"conv2": (2, 2)})), ("prune",))
    assert made.parameters == CompressionParameters({"conv1": 0.5}, {})
    assert [layer.name for layer in made.model.layers] == [layer.name for layer in model.layers]


def test_no_parameters_copy_the_model():
    model = randomized(models.sequential())
    copy = apply_parameters(model, CompressionParameters.none())
    assert_same_outputs(copy, model, tolerance=1e-6)
    assert not {id(v) for v in model.variables} & {id(v) for v in copy.variables}


def test_a_rank_above_what_pruning_leaves():
    with pytest.raises(
        ParameterError, match="^Out Rank of 'conv2': expected at most its 3 output channels, received 4"
    ):
        apply_parameters(models.chain(), CompressionParameters({"conv2": 0.5}, {"conv2": (4, 4)}))


@pytest.mark.parametrize(
    "recipe", ["prune", "decompose", ("Prune",), ("prune", "prune"), ("prune", "train"), (), 3, None]
)
@pytest.mark.parametrize(
    "use",
    [
        lambda model, recipe: apply_parameters(model, CompressionParameters.none(), recipe),
        lambda model, recipe: compress_in_stages(model, own_values(CompressionParameters.none()), recipe),
        lambda model, recipe: check_parameters(analyse(model), CompressionParameters.none(), recipe),
    ],
    ids=["apply_parameters", "compress_in_stages", "check_parameters"],
)
def test_recipes_that_are_none(use, recipe):
    received = re.escape(repr(recipe))
    expected = "^recipe: expected a list of one or both of 'prune', 'decompose', each at most once, received "
    with pytest.raises(ParameterError, match=f"{expected}{received}; correct it$"):
        use(models.chain(), recipe)


def test_recipes_as_lists():
    model = randomized(models.chain())
    by_list, by_tuple = (
        apply_parameters(model, CompressionParameters({"conv1": 0.5}, {"conv2": (2, 2)}), kind(ORDERS[0]))
        for kind in (list, tuple)
    )
    for one, other in zip(by_list.get_weights(), by_tuple.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
