"""The cost of models that take images of any size, at one size of them; and that what is compressed takes any."""

import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ModelError
from compress.graph.analysis import analyse
from compress.graph.sizes import at_size, takes_any_size
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.budget.recommendation import recommendation
from objectives.budget.recommended import BudgetValues, GlobalValues
from objectives.cost.cost_model import CostModel, learned_weights
from tests.search.fixtures.nets import DECOMPOSE_ONLY, PRUNE_ONLY, flops_budget

NONE = CompressionParameters.none()


def net(*shape):
    """Strides, valid padding, a branch, an operation, a nested model, a reshape that pruning cannot follow."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = layers.Conv2D(8, 3, name="a")(inputs)
    inside = keras.Input((None, None, 8))
    x = keras.Model(inside, layers.Conv2D(8, 3, strides=2, padding="same", name="b")(inside), name="inner")(x)
    y = keras.ops.relu(layers.Conv2D(8, 1, name="c")(x))
    x = layers.UpSampling2D()(layers.Add(name="sum")([x, y]))
    x = layers.Reshape((-1, 8), name="flat")(layers.Conv2D(8, 3, name="d")(x))
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D()(x)))


ANY, FIXED = net(None, None, 4), net(11, 8, 4)


def cost(graph, parameters=NONE):
    return CostModel(graph).cost(parameters)


def test_the_cost_at_a_size_is_that_of_the_model_of_this_size():
    sized = analyse(ANY, image_size=(11, 8))
    assert sized.image_size == (11, 8)
    assert cost(sized) == cost(analyse(FIXED))
    shapes = [(node.input_shapes, node.output_shapes) for node in analyse(FIXED).nodes]
    assert [(node.input_shapes, node.output_shapes) for node in sized.nodes] == shapes
    assert takes_any_size(ANY) and not takes_any_size(FIXED)


def test_a_size_changes_no_coupling():
    """The reshape of any size cannot be followed, so that d stays whole, though at this size it could go."""
    free, sized = analyse(ANY), analyse(ANY, image_size=(11, 8))
    assert [group.name for group in sized.groups] == [group.name for group in free.groups] == ["a", "sum"]
    assert sized.excluded == free.excluded and "d" in [group.name for group in analyse(FIXED).groups]


def test_of_a_fixed_model_the_size_is_its_own():
    assert analyse(FIXED, image_size=(99, 99)).image_size is None
    assert cost(analyse(FIXED, image_size=(99, 99))) == cost(analyse(FIXED))


def test_what_is_compressed_takes_any_size():
    parameters = CompressionParameters({"a": 0.5, "sum": 0.25}, {"d": (3, 4)})
    predicted = cost(analyse(ANY, image_size=(11, 8)), parameters)
    made = apply_parameters(ANY, parameters)
    assert made.input_shape == (None, None, None, 4)
    assert cost(analyse(made, image_size=(11, 8))) == predicted
    for size in ((7, 9), (16, 16)):
        assert made(np.zeros((2, *size, 4))).shape == (2, 3)


def test_a_model_at_a_size_computes_the_same():
    images = np.random.default_rng(0).normal(size=(2, 11, 8, 4)).astype(np.float32)
    fixed = at_size(ANY, (11, 8))
    assert fixed.input_shape == (None, 11, 8, 4) and ANY.input_shape == (None, None, None, 4)
    np.testing.assert_array_equal(fixed(images), ANY(images))
    assert at_size(FIXED, (11, 8)) is FIXED and at_size(ANY, None) is ANY


def test_several_inputs_and_one_number_for_all_axes():
    image, series = keras.Input((None, None, 3)), keras.Input((None, 5))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="a")(image))
    y = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 3, name="b")(series))
    model = keras.Model([image, series, keras.Input((2,))], layers.Add()([x, y]))
    graph = analyse(model, image_size=(10,))
    assert graph.node("a").output_shape == (None, 8, 8, 4) and graph.node("b").output_shape == (None, 8, 4)


def test_one_fixed_side():
    image = keras.Input((None, 8, 3))
    model = keras.Model(image, layers.Conv2D(4, 3, name="a")(image))
    for size in ((10, 8), (10,)):
        assert analyse(model, image_size=size).node("a").output_shape == (None, 8, 6, 4)
    with pytest.raises(ModelError, match=r"expected a size that fits input .*, \(None, None, 8, 3\), received 10x9"):
        analyse(model, image_size=(10, 9))


def test_a_size_that_is_too_small_names_the_layer():
    with pytest.raises(ModelError, match=r"layer 'a' \(Conv2D\) cannot be called on an input of 2x2: .*another size"):
        analyse(ANY, image_size=(2, 2))


def test_without_a_size_the_option_is_named():
    with pytest.raises(ModelError, match="the size of images, which the model leaves open, .*--input-size 224"):
        CostModel(analyse(ANY))
    assert learned_weights(analyse(ANY)) == cost(analyse(FIXED)).params


def test_ratios_are_recommended_without_a_size_and_ranks_with_one():
    ratios = recommendation(ANY, GlobalValues(0.4), PRUNE_ONLY)
    assert ratios.groups and ratios.before is None and ratios.after is None
    with pytest.raises(ModelError, match="--input-size"):
        BudgetValues(PRUNE_ONLY, flops_budget(1e6, "1M"), cost(analyse(FIXED))).ratios(ANY)
    for recipe in (PRUNE_ONLY, DECOMPOSE_ONLY):
        values = [GlobalValues(0.4, 0.1), GlobalValues(0.4, 0.1, image_size=(11, 8))]
        any_size = recommendation(ANY, values[1], recipe, image_size=(11, 8))
        assert any_size.before == cost(analyse(FIXED)) and any_size.after is not None
    budget = flops_budget(0.7 * cost(analyse(FIXED)).flops, "70%")
    values = BudgetValues(PRUNE_ONLY, budget, cost(analyse(FIXED)), image_size=(11, 8))
    within = recommendation(ANY, values, PRUNE_ONLY, image_size=(11, 8)).after
    assert within is not None and within.flops <= budget.limits[0].most
