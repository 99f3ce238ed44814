from dataclasses import astuple

import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ModelError, ParameterError
from compress.graph.analysis import analyse
from compress.parameters import ChannelStep, CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from scripts.bench.objectives.random_candidate import random_candidate
from tests.compress.fixtures import models, published
from tests.objectives.thin_models import thin_model
from tests.zoo.originals import analysed

pytestmark = pytest.mark.usefixtures("factors_of_ones")

NONE = CompressionParameters.none()


def tiny():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", name="conv1")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="bn1")(x))
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(10, 3, strides=2, padding="same", use_bias=False, name="conv2")(x)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax", name="linear")(x))


def test_of_a_tiny_model_by_hand():
    # conv1: 8x8 positions, 9 * 3 * 8 weights and 8 biases    -> 2 * 64 * 216 + 64 * 8 = 28160
    # pool: windows of 4 at 4x4 positions of 8 channels        -> 4 * 16 * 8 = 512
    # conv2: 2x2 positions, 9 * 8 * 10 weights                 -> 2 * 4 * 720 = 5760
    # avgpool: its 2 * 2 * 10 inputs                           -> 40
    # linear: 10 * 5 weights and 5 biases                      -> 2 * 50 + 5 = 105
    # macs: 64 * 216 + 4 * 720 + 50 = 16754
    # params: (216 + 8) + (8 + 8) + 720 + (50 + 5) = 1015; batch normalization has 16 more that are not trainable.
    # memory: the 8 x 8 x 8 floats that batch normalization reads and makes
    cost = CostModel(analyse(tiny())).cost(NONE)
    assert cost == Cost(28160 + 512 + 5760 + 40 + 105, 1015, 4 * (1015 + 16), 16754, 2 * 4 * 512)


def test_of_a_tiny_pruned_and_decomposed_model_by_hand():
    # conv1 keeps 8 * 0.5 = 4 and conv2 10 * 0.7 = 7 channels; conv2 is decomposed at ranks (3, 2).
    # conv1: 108 weights, 4 biases                             -> 2 * 64 * 108 + 64 * 4 = 14080
    # pool                                                     -> 4 * 16 * 4 = 256
    # conv2_tucker_0: 4 * 3 = 12 weights at 4x4 positions      -> 2 * 16 * 12 = 384
    # conv2_tucker_1 and _2: 9 * 3 * 2 + 2 * 7 = 68 at 2x2     -> 2 * 4 * 68 = 544
    # avgpool                                                  -> 4 * 7 = 28
    # linear: 35 weights, 5 biases                             -> 75
    parameters = CompressionParameters({"conv1": 0.5, "conv2": 0.3}, {"conv2": (3, 2)})
    costs = CostModel(analyse(tiny())).layer_costs(parameters)
    assert {name: cost.flops for name, cost in costs.items() if cost.flops} == {
        "conv1": 14080,
        "pool": 256,
        "conv2": 384 + 544,
        "avgpool": 28,
        "linear": 75,
    }
    assert {name: cost.params for name, cost in costs.items() if cost.params} == {
        "conv1": 112,
        "bn1": 8,
        "conv2": 80,
        "linear": 40,
    }
    # 4 x 4 positions of 4 channels, and of 3 behind the first part.
    assert costs["conv2"].memory == 4 * 16 * (4 + 3)
    total = CostModel(analyse(tiny())).cost(parameters)
    macs = 64 * 108 + 16 * 12 + 4 * 68 + 35
    assert total == Cost(14080 + 256 + 928 + 28 + 75, 240, 4 * (240 + 8), macs, 2 * 4 * 256)


@pytest.mark.parametrize(
    ("name", "flops", "params"),
    [("resnet50", 2596.06, 23.71), ("vgg19", 796.79, 20.09), ("mobilenetv1", 92.90, 3.31)],
)
def test_published_originals(name, flops, params):
    cost = CostModel(analysed(name)).cost(NONE)
    assert (round(cost.flops / 1e6, 2), round(cost.params / 1e6, 2)) == (flops, params)


def test_published_compressed_resnet50():
    model = CostModel(analysed("resnet50"))
    pruned = model.cost(CompressionParameters(published.ratios(), {}))
    assert (round(pruned.flops / 1e6, 2), round(pruned.params / 1e6, 2)) == (403.60, 5.97)
    both = model.cost(CompressionParameters(published.ratios(), published.ranks()))
    assert 218.2e6 <= both.flops <= 219.4e6
    assert 2.155e6 <= both.params <= 2.175e6


@pytest.mark.parametrize("recipe", [("prune", "decompose"), ("decompose", "prune")], ids="-".join)
@pytest.mark.parametrize(("name", "seed"), [("digits_resnet", 0), ("resnet20", 0), ("resnet20", 1)])
def test_candidates_cost_what_the_built_models_do(name, recipe, seed):
    original = thin_model(name)
    model = CostModel(analyse(original))
    parameters = random_candidate(model, seed)
    built = apply_parameters(original, parameters, recipe)
    cost = model.cost(parameters)
    assert cost == CostModel(analyse(built)).cost(NONE)
    assert cost.params == sum(np.prod(weight.shape, dtype=int) for weight in built.trainable_weights)
    assert cost.bytes == 4 * built.count_params()
    assert cost.flops < model.cost(NONE).flops


def test_many_candidates_at_once():
    model = CostModel(analysed("digits_resnet"))
    parameters = [random_candidate(model, seed) for seed in range(20)]
    kept, ranks = (np.concatenate(arrays) for arrays in zip(*map(model.candidate, parameters), strict=True))
    assert kept.shape == (20, model.counts.sizes.size) and ranks.shape == (20, len(model.graph.decomposable), 2)
    rows = np.concatenate([model.evaluate(kept, ranks), model.memory.evaluate(kept, ranks)[:, None]], axis=1)
    costs = [Cost(*row) for row in rows.tolist()]
    assert costs == [model.cost(candidate) for candidate in parameters]
    assert len(set(costs)) == 20


@pytest.mark.parametrize("seed", range(3))
def test_layer_costs_sum_to_the_total(seed):
    model = CostModel(analysed("digits_resnet"))
    parameters = random_candidate(model, seed)
    costs = [astuple(cost) for cost in model.layer_costs(parameters).values()]
    flops, params, weights, macs, memory, _, _ = zip(*costs, strict=True)
    assert Cost(sum(flops), sum(params), sum(weights), sum(macs), max(memory)) == model.cost(parameters)


def test_a_shared_layer_works_twice_and_weighs_once():
    model = CostModel(analyse(models.shared()))
    # twice: 6x6 positions, 9 * 8 * 8 weights and 8 biases, called twice.
    result = model.layer_costs(NONE)["twice"]
    memory = model.memory.by_layer(*model.candidate(NONE))["twice"]
    assert result == Cost(2 * (2 * 36 * 576 + 36 * 8), 584, 4 * 584, 2 * 36 * 576, memory)
    # At ranks (2, 4): 8 * 2 + 9 * 2 * 4 + 4 * 8 = 120 weights.
    decomposed = CompressionParameters({}, {"twice": (2, 4)})
    result = model.layer_costs(decomposed)["twice"]
    memory = model.memory.by_layer(*model.candidate(decomposed))["twice"]
    assert result == Cost(2 * (2 * 36 * 120 + 36 * 8), 128, 4 * 128, 2 * 36 * 120, memory)


@pytest.mark.parametrize("frozen", [("conv2",), ("conv1", "bn1", "conv2", "linear"), None])
def test_frozen_weights_are_parameters_and_statistics_are_not(frozen):
    original = tiny()
    for layer in [original] if frozen is None else map(original.get_layer, frozen):
        layer.trainable = False
    model = CostModel(analyse(original))
    cost = model.cost(NONE)
    assert (cost.params, cost.bytes) == (1015, 4 * (1015 + 16))
    # At ranks (3, 2): 8 * 3 + 9 * 3 * 2 + 2 * 10 = 98 weights in place of 720.
    decomposed = CompressionParameters({}, {"conv2": (3, 2)})
    built = apply_parameters(original, decomposed)
    assert model.cost(decomposed) == CostModel(analyse(built)).cost(NONE)
    assert model.cost(decomposed).params == 1015 - 720 + 98


class Scaled(keras.layers.Layer):
    """Holds a normalization and a convolution, none of which the analysis sees into."""

    def build(self, shape):
        self.inner = [keras.layers.BatchNormalization(), keras.layers.Conv2D(2, 1)]
        for layer in self.inner:
            layer.build(shape)
        self.counter = self.add_weight(shape=(), name="counter", trainable=False)

    def call(self, x):
        return self.inner[1](self.inner[0](x))


def test_parameters_inside_a_layer_that_is_not_understood():
    inputs = keras.Input((4, 4, 3))
    whole = keras.Model(inputs, Scaled(name="own")(inputs))
    for trainable in (True, False):
        whole.get_layer("own").trainable = trainable
        cost = CostModel(analyse(whole)).cost(NONE)
        # Scale and offset of 3 channels, 3 * 2 weights and 2 biases; then 6 statistics and a counter.
        assert (cost.params, cost.bytes) == (6 + 8, 4 * (14 + 7))


def test_channel_step():
    model = CostModel(analyse(tiny()))
    four_and_eight = CompressionParameters({"conv1": 0.5, "conv2": 0.2}, {})
    assert model.cost(CompressionParameters({"conv1": 0.9, "conv2": 0.5}, {}), ChannelStep(4)) == model.cost(
        four_and_eight
    )


def test_uncounted_layers_are_named():
    inputs = keras.Input((8, 8, 3))
    x = layers.ConvLSTM1D(4, 3, name="up", return_sequences=True)(models.Doubling(name="double")(inputs))
    x = keras.ops.einsum("bhwc->bwhc", x)
    outputs = layers.MaxPooling2D(2, name="pool", data_format="channels_first")(x)
    model = CostModel(analyse(keras.Model(inputs, outputs)))
    # Keras numbers operations by what the process has made before.
    assert model.uncounted == ("double", "up", keras.Model(inputs, x).operations[-1].name, "pool")
    weights = 3 * 3 * 16 + 3 * 4 * 16 + 16
    cost = model.cost(NONE)
    assert (cost.flops, cost.params, cost.bytes) == (0, weights, 4 * weights)
    assert CostModel(analyse(tiny())).uncounted == ()


def test_unknown_spatial_size():
    inputs = keras.Input((None, None, 3))
    graph = analyse(keras.Model(inputs, models.head(models.conv(inputs, "conv1", 4))))
    with pytest.raises(ModelError) as caught:
        CostModel(graph)
    assert str(caught.value) == (
        "expected the size of images, which the model leaves open, received a tensor of shape (None, None, None, 4); "
        "give --input-size 224 or 224x160, or from Python analyse(model, image_size=(224, 160))"
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (CompressionParameters({"conv3": 0.5}, {}), "unknown layer or group 'conv3'; nearest: "),
        (CompressionParameters({"linear": 0.5}, {}), "layer 'linear' cannot be pruned: "),
        (CompressionParameters({}, {"conv1": (1, 1)}), "layer 'conv1' cannot be decomposed: "),
    ],
)
def test_candidates_that_do_not_fit(parameters, message):
    with pytest.raises(ParameterError) as caught:
        CostModel(analyse(tiny())).cost(parameters)
    assert str(caught.value).startswith(message)
