import numpy as np
import pytest

from compress.decomposition.cp import cp_kernels, cp_saves, decompose_cp
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized, single_conv
from tests.compress.fixtures.oracles import assert_same_outputs, duplicate


def reconstructed(first, window, third):
    return np.einsum("ir,hwr,ro->hwio", first[0, 0], window[..., 0], third[0, 0])


def planted(shape, rank, seed=0):
    rng = np.random.default_rng(seed)
    height, width, channels_in, channels_out = shape
    factors = [rng.normal(size=(size, rank)) for size in (height * width, channels_in, channels_out)]
    return np.einsum("wr,ir,or->wio", *factors).reshape(shape)


@pytest.mark.parametrize("options", [{}, {"padding": "same", "strides": 2}, {"dilation_rate": 2}], ids=str)
def test_the_chain_computes_the_sum_of_its_components(options):
    model = single_conv(activation="relu", **options)
    small = decompose_cp(model, {"conv": 4})
    expected = duplicate(model)
    kernels = [np.asarray(small.get_layer(f"conv_cp_{i}").kernel) for i in range(3)]
    expected.get_layer("conv").kernel.assign(reconstructed(*kernels))
    assert_same_outputs(small, expected)


@pytest.mark.parametrize(("shape", "rank"), [((3, 3, 6, 5), 1), ((3, 3, 6, 5), 3), ((1, 3, 4, 7), 2)], ids=str)
def test_planted_components_are_recovered(shape, rank):
    kernel = planted(shape, rank)
    np.testing.assert_allclose(reconstructed(*cp_kernels(kernel, rank)), kernel, atol=2e-3 * np.abs(kernel).max())


def test_more_components_approximate_better():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 6, 5))
    errors = [np.linalg.norm(reconstructed(*cp_kernels(kernel, rank)) - kernel) for rank in (1, 4, 12, 30)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-2 * np.linalg.norm(kernel)  # the two smallest modes' product makes any kernel exact


def test_the_third_layer_carries_the_magnitude():
    first, window, third = cp_kernels(10 * planted((3, 3, 6, 5), 2), 2)
    np.testing.assert_allclose(np.linalg.norm(first[0, 0], axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(window.reshape(9, 2), axis=0), 1, rtol=1e-5)
    assert np.linalg.norm(third) > 10


@pytest.mark.parametrize("kernel", [np.zeros((3, 3, 4, 5)), np.ones((3, 3, 4, 5))], ids=["zeros", "ones"])
def test_surplus_components(kernel):
    np.testing.assert_allclose(reconstructed(*cp_kernels(kernel, 7)), kernel, atol=1e-4)


def test_the_three_layers():
    model = single_conv((3, 5), strides=2, padding="same", activation="relu", kernel_regularizer="l2")
    small = decompose_cp(model, {"conv": 4})
    first, window, third = small.layers[1:]
    assert [layer.name for layer in (first, window, third)] == ["conv_cp_0", "conv_cp_1", "conv_cp_2"]
    assert [tuple(layer.kernel.shape) for layer in (first, window, third)] == [(1, 1, 6, 4), (3, 5, 4, 1), (1, 1, 4, 5)]
    assert [layer.strides for layer in (first, window, third)] == [(1, 1), (2, 2), (1, 1)]
    assert [layer.padding for layer in (first, window, third)] == ["valid", "same", "valid"]
    assert [layer.use_bias for layer in (first, window, third)] == [False, False, True]
    assert [layer.activation.__name__ for layer in (first, window, third)] == ["linear", "linear", "relu"]
    assert window.depthwise_regularizer is not None
    np.testing.assert_array_equal(third.bias, model.get_layer("conv").bias)


def test_analytic_cost_equals_the_built_model():
    small = decompose_cp(single_conv(strides=2, padding="same"), {"conv": 4})
    cost = CostModel(analyse(small)).cost(CompressionParameters.none())
    assert cost.params == small.count_params() == 6 * 4 + 9 * 4 + 4 * 5 + 5
    assert cost.flops == 2 * (6 * 4 * 72 + (9 * 4 + 4 * 5) * 20) + 5 * 20


def test_pruning_after_it_by_the_original_name():
    small = decompose_cp(randomized(models.chain()), {"conv2": 5})
    pruned = prune(small, {"conv2": 0.5, "conv2_cp_0": 0.4})
    assert pruned.get_layer("conv2_cp_2").filters == 3
    assert tuple(pruned.get_layer("conv2_cp_1").kernel.shape) == (3, 3, 3, 1)


def test_saving():
    # 3x3, 16 to 16 channels: 2304 weights, and (16 + 9 + 16) R = 41 R.
    node = analyse(single_conv(3, (16, 16), padding="same")).node("conv")
    assert cp_saves(node, 56) and not cp_saves(node, 57)
    # At stride 2, 20 of 72 positions: 46080 multiply-accumulates, and 16 R x 72 + 25 R x 20 = 1652 R.
    node = analyse(single_conv(3, (16, 16), padding="same", strides=2)).node("conv")
    assert cp_saves(node, 27) and not cp_saves(node, 28)


@pytest.mark.parametrize(
    ("options", "rank", "message"),
    [
        ({}, 31, "rank of 'conv': expected a whole number from 1 to 30, received 31; correct it"),
        ({"size": 1}, 2, "layer 'conv' cannot be decomposed by CP: its window is 1x1; use SVD"),
        ({"strides": (2, 1)}, 2, "layer 'conv' cannot be decomposed by CP: its strides (2, 1) differ"),
        ({"channels": (3, 8)}, 2, "layer 'conv' cannot be decomposed: it reads the model's input, of only 3 channels"),
    ],
)
def test_what_cannot_be_decomposed(options, rank, message):
    with pytest.raises(ParameterError) as caught:
        decompose_cp(single_conv(**options), {"conv": rank})
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_parts_are_not_decomposed_again():
    small = decompose_cp(randomized(models.residual()), {"b0.conv2": 4})
    with pytest.raises(ParameterError, match="'b0.conv2_cp_2' cannot be decomposed: it is already a part of a"):
        decompose_cp(small, {"b0.conv2_cp_2": 2})
