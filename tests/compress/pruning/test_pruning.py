import keras
import numpy as np
import pytest
from keras import layers

from compress.cloning.walk import as_functional
from compress.decomposition.tucker import decompose
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.parameters import ChannelStep
from compress.pruning.pruning import group_energy, group_scores, prune
from compress.pruning.settings import PruningSettings
from tests.compress.fixtures import models
from tests.compress.fixtures.models import images, outputs, randomized
from tests.compress.fixtures.oracles import (
    assert_equals_masked,
    assert_same_outputs,
    kept_labels,
    mixed_ratios,
    unread,
    zero_filters,
    zeroed_in_place,
)
from tests.objectives.thin_models import thin_model
from tests.search.fixtures.runs import run_forked

ZERO_PRESERVING = {
    "chain": models.chain,
    "residual": models.residual,
    "depthwise": lambda: models.depthwise(1),
    "depthwise multiplier": lambda: models.depthwise(2),
    "dense blocks": models.dense_blocks,
    "partial merge": models.partial_merge,
    "crossed merge": models.crossed_merge,
    "flatten": models.flatten,
    "flattened concat": models.flattened_concat,
    "resized": models.resized,
    "shared": models.shared,
    "several ends": models.several_ends,
    "sequential": models.sequential,
    "one channel gate": models.one_channel_gate,
    "softmax inside": lambda: models.with_layer(layers.Activation("softmax")),
    "another axis": lambda: models.with_layer(layers.BatchNormalization(axis=1)),
    "unknown layer": lambda: models.with_layer(models.Doubling()),
    "nested model": models.nested_model,
    "arithmetic": models.arithmetic,
}


def pruned_pair(model, ratios=None):
    """A model, its analysis, what is kept, and the pruned model."""
    source = as_functional(model)
    graph = analyse(source)
    ratios = mixed_ratios(graph) if ratios is None else ratios
    return source, graph, kept_labels(source, graph, ratios), prune(model, ratios)


@pytest.mark.parametrize("build", ZERO_PRESERVING.values(), ids=ZERO_PRESERVING)
def test_equals_the_model_with_zeroed_filters(build):
    source, graph, kept, small = pruned_pair(randomized(build()))
    assert small.count_params() < source.count_params()
    assert_same_outputs(small, zeroed_in_place(source, graph, kept))
    assert_same_outputs(small, unread(source, graph, kept))
    assert_equals_masked(small, source, graph, kept)


def test_equals_the_model_that_ignores_removed_gates():
    source, graph, kept, small = pruned_pair(randomized(models.squeeze_excite()))
    assert [group.name for group in graph.groups] == ["squeeze", "multiply"]
    assert small.get_layer("excite").filters == small.get_layer("conv1").filters < 8
    assert_same_outputs(small, unread(source, graph, kept))


@pytest.mark.parametrize("name", ["digits_resnet", "resnet20", "mobilenetv1", "vgg19", "unet", "edsr"])
def test_zoo_models(name):
    if name == "edsr" and not hasattr(keras.ops, "depth_to_space"):
        pytest.skip("this Keras has no such operation")
    source, graph, kept, small = pruned_pair(randomized(thin_model(name, classes=4)))
    assert_same_outputs(small, zero_filters(source, graph, kept))


def test_kept_weights_are_slices_of_the_original():
    model = randomized(models.chain())
    graph = analyse(model)
    small = prune(model, {"conv1": 0.5, "conv2": 0.5})
    first, second = (
        np.flatnonzero(kept_labels(model, graph, {n: 0.5})[graph.node(n).output]) for n in ("conv1", "conv2")
    )
    assert (first.size, second.size) == (4, 3)
    old, new = model.get_layer, small.get_layer
    np.testing.assert_array_equal(new("conv1").kernel, np.asarray(old("conv1").kernel)[..., first])
    np.testing.assert_array_equal(new("conv1").bias, np.asarray(old("conv1").bias)[first])
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        value = np.asarray(getattr(old("conv1.bn"), name))[first]
        np.testing.assert_array_equal(getattr(new("conv1.bn"), name), value)
    np.testing.assert_array_equal(new("conv2").kernel, np.asarray(old("conv2").kernel)[:, :, first][..., second])
    np.testing.assert_array_equal(new("linear").kernel, np.asarray(old("linear").kernel)[second])
    np.testing.assert_array_equal(new("linear").bias, old("linear").bias)


def test_removes_the_filters_of_least_norm():
    model = randomized(models.chain())
    kernel = np.random.default_rng(3).normal(size=(3, 3, 3, 8))
    norms = np.array([5.0, 1.0, 8.0, 2.0, 7.0, 3.0, 4.0, 6.0])
    model.get_layer("conv1").kernel.assign(kernel / np.linalg.norm(kernel.reshape(27, 8), axis=0) * norms)
    small = prune(model, {"conv1": 0.6})  # ceil(8 * 0.4) = 4 filters stay: norms 5, 8, 7 and 6, in their order
    result = np.linalg.norm(np.asarray(small.get_layer("conv1").kernel).reshape(27, -1), axis=0)
    np.testing.assert_allclose(result, [5, 8, 7, 6], rtol=1e-5)


def test_equal_scores_remove_the_last_channels():
    model = models.chain()
    model.get_layer("conv1").kernel.assign(np.ones((3, 3, 3, 8)))
    model.get_layer("conv1").bias.assign(np.arange(8))
    np.testing.assert_array_equal(prune(model, {"conv1": 0.5}).get_layer("conv1").bias, [0, 1, 2, 3])


def test_a_group_is_scored_by_all_its_members():
    # Mean of the norms of "a", "c" and the depthwise filters behind "c": 3, 2, 4 and 1.
    model = scored_model([4.0, 1, 3, 1], [4.0, 1, 3, 1], [1.0, 4, 6, 1])
    graph = analyse(model)
    (group,) = graph.groups
    assert (group.name, group.layers) == ("add", ("c", "a"))
    np.testing.assert_allclose(group_scores(model, graph, group)[graph.node("c").output], [3, 2, 4, 1])
    np.testing.assert_allclose(group_energy(model, graph, group), [16 + 16 + 1, 1 + 1 + 16, 9 + 9 + 36, 3])
    small = prune(model, {"add": 0.5})
    np.testing.assert_array_equal(small.get_layer("c").bias, [0, 2])
    np.testing.assert_array_equal(np.ravel(small.get_layer("a").kernel), [4, 3])
    np.testing.assert_array_equal(np.ravel(small.get_layer("deep").kernel), [1, 6])


def scored_model(a, c, deep):
    """Add(a, depthwise(c)) of 1x1 kernels on one input channel, with the given filters."""
    inputs = keras.Input((2, 2, 1))
    deeper = layers.DepthwiseConv2D(1, name="deep", use_bias=False)(layers.Conv2D(4, 1, name="c")(inputs))
    merged = layers.Add(name="add")([layers.Conv2D(4, 1, name="a")(inputs), deeper])
    model = keras.Model(inputs, layers.Dense(2, name="linear")(layers.Flatten()(merged)))
    for name, filters in (("a", a), ("c", c), ("deep", deep)):
        kernel = model.get_layer(name).kernel
        kernel.assign(np.reshape(filters, kernel.shape))
    model.get_layer("c").bias.assign(np.arange(4))
    return model


def test_channel_step():
    model = randomized(models.residual())
    small = prune(model, {"add_1": 0.7, "b0.conv1": 0.7}, PruningSettings(step=ChannelStep(4)))
    assert small.get_layer("b0.conv2").filters == 4  # ceil(8 * 0.3) = 3, up to 4
    assert small.get_layer("b0.conv1").filters == 4  # ceil(5 * 0.3) = 2, up to 4


def test_the_original_is_untouched():
    model = randomized(models.residual())
    x = images(model)
    weights, before = [np.array(w) for w in model.get_weights()], outputs(model, x)
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    small = prune(model, mixed_ratios(analyse(model)))
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(outputs(model, x)[0], before[0])
    assert not {id(v) for v in model.variables} & {id(v) for v in small.variables}
    assert not {id(layer) for layer in model.layers} & {id(layer) for layer in small.layers}


def test_operations_of_the_original_are_untouched():
    model = randomized(models.arithmetic())
    nodes = [len(operation._inbound_nodes) for operation in model.operations]
    prune(model, {"last": 0.5})
    assert [len(operation._inbound_nodes) for operation in model.operations] == nodes


def test_nothing_to_remove_gives_an_equal_copy():
    model = randomized(models.residual())
    copy = prune(model, {})
    for old, new in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_frozen_layers_and_call_arguments_stay():
    inputs = keras.Input((6, 6, 3))
    x = models.conv(inputs, "conv1", 8)
    x = layers.BatchNormalization(name="bn")(x, training=False)
    model = randomized(keras.Model(inputs, models.head(x)))
    model.get_layer("conv1").trainable = False
    small = prune(model, {"conv1": 0.5})
    assert [w.path for w in small.trainable_weights] == ["bn/gamma", "bn/beta", "linear/kernel", "linear/bias"]
    assert small.get_layer("bn")._inbound_nodes[0].arguments.kwargs == {"training": False}


LOADED_ELSEWHERE = """
import sys
for package in ("compress", "objectives", "search", "configs", "zoo"):
    sys.modules[package] = None  # importing it fails
try:
    import compress
    sys.exit("tuckprune can be imported")
except ImportError:
    pass
import keras, numpy as np
model = keras.models.load_model("small.keras")
np.save("there.npy", np.asarray(model(np.load("x.npy"), training=False)))
"""


def test_the_saved_model_is_plain_keras(tmp_path):
    model = randomized(models.residual())
    small = decompose(prune(model, mixed_ratios(analyse(model))), {"b0.conv2": (2, 3)})
    x = images(model)
    small.save(tmp_path / "small.keras")
    np.save(tmp_path / "x.npy", x)
    loaded = run_forked(LOADED_ELSEWHERE, tmp_path)
    assert loaded.returncode == 0, loaded.stderr
    np.testing.assert_allclose(np.load(tmp_path / "there.npy"), outputs(small, x)[0], rtol=1e-6, atol=1e-6)


def test_two_names_of_one_group():
    model = decompose(randomized(models.chain()), {"conv2": (4, 4)})
    with pytest.raises(ParameterError, match="^group 'conv2_tucker_2': expected one ratio, received a second one as"):
        prune(model, {"conv2": 0.5, "conv2_tucker_2": 0.5})
