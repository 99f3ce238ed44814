import keras
import pytest
from keras import layers

from compress.analysis import analyse
from objectives.flops import flops_terms

# Hand-derived on 8x8x3 images (or the Dense layer's 5 features): 2 x multiply-accumulates + bias + pooling windows.
CASES = [
    (layers.Conv2D(4, 3, padding="same"), 2 * 64 * 9 * 3 * 4 + 64 * 4),
    (layers.Conv2D(4, 3, strides=2, use_bias=False), 2 * 9 * 9 * 3 * 4),  # 3x3 outputs
    (layers.Conv2D(6, (1, 3), groups=3, padding="same"), 2 * 64 * 3 * 1 * 6 + 64 * 6),
    (layers.DepthwiseConv2D(3, padding="same"), 2 * 64 * 9 * 3 + 64 * 3),
    (layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), 2 * 36 * 9 * 6),  # 6x6 outputs
    (layers.Dense(4), 64 * (2 * 3 * 4 + 4)),  # on every position
    (layers.MaxPooling2D(2), 4 * 16 * 3),
    (layers.AveragePooling2D(3, strides=2, padding="same"), 9 * 16 * 3),
    (layers.GlobalAveragePooling2D(), 64 * 3),
    (layers.GlobalMaxPooling2D(keepdims=True), 64 * 3),
    (layers.BatchNormalization(), 0),
    (layers.ReLU(), 0),
    (layers.Flatten(), 0),
    (layers.ZeroPadding2D(), 0),
]


def terms_of(layer):
    inputs = keras.Input((8, 8, 3))
    layer.name = "it"
    site = analyse(keras.Model(inputs, layer(inputs))).site("it")
    return flops_terms(site)


def total(terms):
    count = 0
    for term in terms:
        product = term.coefficient
        for slots in term.channels:
            product *= slots.size
        count += product
    return count


@pytest.mark.parametrize(("layer", "flops"), CASES, ids=lambda value: type(value).__name__)
def test_flops_of_one_layer(layer, flops):
    assert total(terms_of(layer)) == flops


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2DTranspose(4, 3),
        layers.SeparableConv2D(4, 3),
        layers.MaxPooling2D(2, data_format="channels_first"),  # window and positions lie on other axes
    ],
    ids=lambda value: type(value).__name__,
)
def test_not_counted(layer):
    assert terms_of(layer) is None
