import keras
import pytest
from keras import layers

import compress
from compress.graph.analysis import analyse
from objectives.cost.flops import flops_terms
from tests.compress.fixtures.user_layers import LayerScale

# Hand-derived on 8x8x3 images (or the Dense layer's 5 features): 2 x multiply-accumulates + bias + pooling windows.
CASES = [
    (layers.Conv2D(4, 3, padding="same"), 2 * 64 * 9 * 3 * 4 + 64 * 4),
    (layers.Conv2D(4, 3, strides=2, use_bias=False), 2 * 9 * 9 * 3 * 4),  # 3x3 outputs
    (layers.Conv2D(6, (1, 3), groups=3, padding="same"), 2 * 64 * 3 * 1 * 6 + 64 * 6),
    (layers.DepthwiseConv2D(3, padding="same"), 2 * 64 * 9 * 3 + 64 * 3),
    (layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), 2 * 36 * 9 * 6),  # 6x6 outputs
    (layers.Conv2DTranspose(4, 3, strides=2), 2 * 64 * 9 * 3 * 4 + 17 * 17 * 4),  # every input spreads over a window
    (layers.SeparableConv2D(4, 3, strides=2, padding="same"), 16 * (2 * 9 * 3 + 2 * 3 * 4 + 4)),
    (layers.SeparableConv2D(4, 3, depth_multiplier=2, use_bias=False), 36 * (2 * 9 * 6 + 2 * 6 * 4)),
    (layers.Dense(4), 64 * (2 * 3 * 4 + 4)),  # on every position
    (layers.MaxPooling2D(2), 4 * 16 * 3),
    (layers.AveragePooling2D(3, strides=2, padding="same"), 9 * 16 * 3),
    (layers.GlobalAveragePooling2D(), 64 * 3),
    (layers.GlobalMaxPooling2D(keepdims=True), 64 * 3),
    (layers.BatchNormalization(), 0),
    (layers.ReLU(), 0),
    (layers.Flatten(), 0),
    (layers.PReLU(), 0),
    (layers.GroupNormalization(3), 0),
    (layers.ZeroPadding2D(), 0),
]


def terms_of(layer, shape=(8, 8, 3)):
    inputs = keras.Input(shape)
    layer.name = "it"
    node = analyse(keras.Model(inputs, layer(inputs))).node("it")
    return flops_terms(node)


def total(terms):
    count = 0
    for term in terms:
        product = term.coefficient
        for labels in term.channels:
            product *= labels.size
        count += product
    return count


@pytest.mark.parametrize(("layer", "flops"), CASES, ids=lambda value: type(value).__name__)
def test_flops_of_one_layer(layer, flops):
    assert total(terms_of(layer)) == flops


SEQUENCES = [
    (layers.Conv1D(4, 3), 6 * (2 * 3 * 5 * 4 + 4)),  # 6 outputs
    (layers.Conv1DTranspose(4, 3), 2 * 8 * 3 * 5 * 4 + 10 * 4),
    (layers.DepthwiseConv1D(3, padding="same"), 8 * (2 * 3 * 5 + 5)),
    (layers.SeparableConv1D(4, 3, padding="same"), 8 * (2 * 3 * 5 + 2 * 5 * 4 + 4)),
    (layers.MaxPooling1D(2), 2 * 4 * 5),
    (layers.GlobalAveragePooling1D(), 8 * 5),
]
VOLUMES = [
    (layers.Conv3D(3, 2), 27 * (2 * 8 * 2 * 3 + 3)),  # 3x3x3 outputs
    (layers.Conv3DTranspose(3, 2, strides=2), 2 * 64 * 8 * 2 * 3 + 512 * 3),
    (layers.AveragePooling3D(2), 8 * 8 * 2),
    (layers.GlobalMaxPooling3D(), 64 * 2),
]


@pytest.mark.parametrize(
    ("layer", "flops", "shape"),
    [(*case, (8, 5)) for case in SEQUENCES] + [(*case, (4, 4, 4, 2)) for case in VOLUMES],
    ids=lambda value: type(value).__name__,
)
def test_flops_on_other_ranks(layer, flops, shape):
    assert total(terms_of(layer, shape)) == flops


@pytest.mark.parametrize(
    ("operation", "flops"),
    [
        (lambda x: keras.ops.mean(x, axis=(1, 2)), 64 * 3),  # as global pooling
        (lambda x: keras.ops.max(x, axis=3, keepdims=True), 64 * 3),
        (lambda x: keras.ops.average_pool(x, 2), 4 * 16 * 3),
        (lambda x: 2 * x, 0),
        (lambda x: x[:, 1:], 0),
    ],
)
def test_flops_of_operations(operation, flops):
    inputs = keras.Input((8, 8, 3))
    assert total(flops_terms(analyse(keras.Model(inputs, operation(inputs))).nodes[-1])) == flops


def test_not_counted():
    # Window and positions lie on other axes.
    assert terms_of(layers.MaxPooling2D(2, data_format="channels_first")) is None
    assert terms_of(layers.LSTM(4), (8, 5)) is None


@compress.rule(weights={"kernel": (None, None, "out")})
class Blur(layers.Layer):
    """A window over each channel, of whose size the rule says nothing."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(5, 5, shape[-1]), name="kernel")

    def call(self, inputs):
        return keras.ops.depthwise_conv(inputs, self.kernel[..., None], padding="same")

    def compute_output_shape(self, shape):
        return shape


def test_of_a_layer_with_a_rule_only_what_is_elementwise_is_counted():
    assert terms_of(Blur()) is None
    assert terms_of(layers.TimeDistributed(Blur()), (2, 8, 8, 3)) is None
    assert terms_of(LayerScale(0.1)) == ()  # Its weight is (1, 1, channels).
