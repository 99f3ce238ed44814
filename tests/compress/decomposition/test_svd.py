import keras
import numpy as np
import pytest
from keras import layers

from compress.decomposition.svd import decompose_svd, svd_kernels, svd_layers, svd_saves
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized
from tests.compress.fixtures.oracles import assert_same_outputs


def mixed():
    """A pointwise convolution with a stride, another without, and two dense layers."""
    x = inputs = keras.Input((8, 7, 3))
    x = models.block(x, "conv1", 10)
    x = models.conv(x, "narrow", 12, 1, strides=2, activation="relu")
    x = models.conv(x, "wide", 20, 1, use_bias=False)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(9, activation="tanh", name="hidden", kernel_regularizer="l2")(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="linear")(x))


FULL = {"narrow": 10, "wide": 12, "hidden": 9, "linear": 4}


def test_full_rank_equals_the_model():
    model = randomized(mixed())
    assert_same_outputs(decompose_svd(model, FULL), model)


@pytest.mark.parametrize("shape", [(9, 6), (1, 1, 6, 9)], ids=str)
@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_product_is_the_best_approximation(shape, rank):
    kernel = np.random.default_rng(0).normal(size=shape)
    first, second = svd_kernels(kernel, rank)
    assert (first.shape, second.shape) == ((*shape[:-1], rank), (*shape[:-2], rank, shape[-1]))
    error = np.linalg.norm(first @ second - kernel)
    dropped = np.linalg.svd(kernel.reshape(shape[-2:]), compute_uv=False)[rank:]
    np.testing.assert_allclose(error, np.linalg.norm(dropped), atol=1e-12)
    flat = first.reshape(-1, rank)
    np.testing.assert_allclose(flat.T @ flat, np.eye(rank), atol=1e-12)


def test_the_two_layers():
    small = decompose_svd(randomized(mixed()), {"narrow": 3, "hidden": 2})
    first, second = (small.get_layer(f"narrow_svd_{i}") for i in range(2))
    assert [tuple(layer.kernel.shape) for layer in (first, second)] == [(1, 1, 10, 3), (1, 1, 3, 12)]
    assert [layer.strides for layer in (first, second)] == [(2, 2), (1, 1)]
    assert [layer.use_bias for layer in (first, second)] == [False, True]
    assert [layer.activation.__name__ for layer in (first, second)] == ["linear", "relu"]
    first, second = (small.get_layer(f"hidden_svd_{i}") for i in range(2))
    assert [tuple(layer.kernel.shape) for layer in (first, second)] == [(20, 2), (2, 9)]
    assert [layer.use_bias for layer in (first, second)] == [False, True]
    assert [layer.activation.__name__ for layer in (first, second)] == ["linear", "tanh"]
    assert second.kernel_regularizer is not None


def test_analytic_cost_equals_the_built_model():
    small = decompose_svd(randomized(mixed()), {"narrow": 3, "wide": 5, "hidden": 2})
    cost = CostModel(analyse(small)).cost(CompressionParameters.none())
    assert cost.params == sum(int(np.prod(weight.shape)) for weight in small.trainable_weights)
    # conv1, narrow on 4x4 positions behind the stride, wide, and the dense layers; biases; pooling reads 4 x 4 x 20.
    macs = 9 * 3 * 10 * 56 + (10 * 3 + 3 * 12 + 12 * 5 + 5 * 20) * 16 + 20 * 2 + 2 * 9 + 9 * 4
    assert cost.flops == 2 * macs + 10 * 56 + 12 * 16 + 9 + 4 + 4 * 4 * 20


def test_pruning_after_it_by_the_original_name():
    model = randomized(mixed())
    pruned = prune(model, {"narrow": 0.5, "hidden": 0.4})
    small = prune(decompose_svd(model, {"narrow": 10, "hidden": 9}), {"narrow": 0.5, "hidden": 0.4})
    assert small.get_layer("narrow_svd_1").filters == 6
    assert_same_outputs(small, pruned)


def test_layers_that_qualify():
    assert svd_layers(analyse(mixed())) == {"narrow": (10, 12), "wide": (12, 20), "hidden": (20, 9), "linear": (9, 4)}


def test_saving():
    assert svd_saves(16, 16, 7) and not svd_saves(16, 16, 8)


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ({"narrow": 11}, "rank of 'narrow': expected a whole number from 1 to 10, received 11; correct it"),
        ({"narrow": 0}, "rank of 'narrow': expected a whole number from 1 to 10, received 0; correct it"),
        ({"narrow": (2, 3)}, "rank of 'narrow': expected a whole number from 1 to 10, received (2, 3); correct it"),
        ({"conv1": 2}, "layer 'conv1' cannot be decomposed by SVD: its window is 3x3, not 1x1; use Tucker-2 or CP"),
        ({"conv1.bn": 2}, "layer 'conv1.bn' cannot be decomposed by SVD: it is a BatchNormalization; SVD applies to"),
        ({"narow": 2}, "unknown layer 'narow'; nearest: 'narrow'"),
    ],
)
def test_what_cannot_be_decomposed(ranks, message):
    with pytest.raises(ParameterError) as caught:
        decompose_svd(mixed(), ranks)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["narrow_svd_0", "hidden_svd_1"])
def test_parts_are_not_decomposed_again(part):
    small = decompose_svd(mixed(), {"narrow": 3, "hidden": 2})
    with pytest.raises(ParameterError, match=f"'{part}' cannot be decomposed by SVD: it is already a part of a"):
        decompose_svd(small, {part: 1})
