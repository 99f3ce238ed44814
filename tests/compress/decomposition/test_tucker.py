import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from compress.decomposition.tucker import decompose, tucker2, tucker_saves
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.pruning.pruning import prune
from tests.compress.fixtures import models
from tests.compress.fixtures.models import images, outputs, randomized, single_conv
from tests.compress.fixtures.oracles import assert_same_outputs, tucker_kernel


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same"},
        {"padding": "same", "strides": 2},
        {"padding": "valid", "strides": (2, 1)},
        {"padding": "same", "dilation_rate": 2},
        {"padding": "valid", "dilation_rate": (1, 2)},
        {"use_bias": False},
        {"activation": "relu", "padding": "same"},
        {"activation": "softmax"},
        {"size": 1},
        {"size": 1, "strides": 2},
        {"size": (3, 1), "channels": (5, 8)},
    ],
    ids=str,
)
def test_full_rank_equals_the_layer(options):
    model = single_conv(**options)
    channels = (model.input.shape[-1], model.output.shape[-1])
    assert_same_outputs(decompose(model, {"conv": channels}), model)


def test_full_rank_equals_a_model_with_shared_layers():
    model = randomized(models.shared())
    assert_same_outputs(decompose(model, {"twice": (8, 8), "other": (4, 5)}), model)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_planted_low_rank_is_recovered(rank_in, rank_out, seed):
    rng = np.random.default_rng(seed)
    rank_in, rank_out = min(rank_in, 9 * rank_out), min(rank_out, 9 * rank_in)
    planted = [rng.normal(size=shape) for shape in ((3, 3, rank_in, rank_out), (7, rank_in), (6, rank_out))]
    kernel = np.einsum("hwab,ia,ob->hwio", *planted)
    u_in, core, u_out = tucker2(kernel, rank_in, rank_out)
    assert (u_in.shape, core.shape, u_out.shape) == ((7, rank_in), (3, 3, rank_in, rank_out), (6, rank_out))
    np.testing.assert_allclose(tucker_kernel(u_in, core, u_out), kernel, atol=1e-8 * np.abs(kernel).max())
    for factor in (u_in, u_out):
        np.testing.assert_allclose(factor.T @ factor, np.eye(factor.shape[1]), atol=1e-10)


def test_truncation_is_no_worse_than_truncating_each_mode():
    # The higher-order SVD's error is at most the root of the sum of squares of what each mode drops.
    kernel = np.random.default_rng(0).normal(size=(3, 3, 12, 10))
    error = np.linalg.norm(tucker_kernel(*tucker2(kernel, 5, 4)) - kernel)
    dropped = [
        np.linalg.svd(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1), compute_uv=False)[rank:]
        for axis, rank in ((2, 5), (3, 4))
    ]
    least = max(np.linalg.norm(values) for values in dropped)
    assert least <= error <= np.sqrt(sum(np.sum(values**2) for values in dropped))


def test_a_rank_above_what_the_other_side_can_use():
    # in-unfolding of a 1x1 kernel at r_out = 2 has two columns: r_in = 6 holds four unused directions.
    model = single_conv(size=1, channels=(8, 6))
    small = decompose(model, {"conv": (6, 2)})
    u, s, vt = np.linalg.svd(np.asarray(model.get_layer("conv").kernel)[0, 0])
    best = (u[:, :2] * s[:2]) @ vt[:2]
    factors = [np.asarray(small.get_layer(f"conv_tucker_{i}").kernel)[0, 0] for i in range(3)]
    assert [factor.shape for factor in factors] == [(8, 6), (6, 2), (2, 6)]
    np.testing.assert_allclose(factors[0] @ factors[1] @ factors[2], best, atol=1e-5)
    again = decompose(model, {"conv": (6, 2)})
    for old, new in zip(small.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("ranks", [(7, 6), (7, 4), (3, 6), (2, 3)], ids=str)
def test_the_last_layer_carries_the_norms_of_the_filters_it_reproduces(size, ranks):
    small = decompose(single_conv(size, channels=(7, 6)), {"conv": ranks})
    u_in, core, u_out = (np.asarray(small.get_layer(f"conv_tucker_{i}").kernel) for i in range(3))
    approximated = np.einsum("hwab,ia,bo->hwio", core, u_in[0, 0], u_out[0, 0])
    norms = np.linalg.norm(approximated.reshape(-1, 6), axis=0)
    np.testing.assert_allclose(np.linalg.norm(u_out[0, 0], axis=0), norms, rtol=1e-4)


def test_a_decomposed_layer_loses_the_filters_that_the_whole_layer_would():
    model = randomized(models.chain())
    pruned = prune(model, {"conv2": 0.5})
    small = prune(decompose(model, {"conv2": (8, 6)}), {"conv2": 0.5})
    assert_same_outputs(small, pruned)


def test_a_filter_of_zeros_can_still_be_trained():
    model = single_conv(channels=(7, 6))
    kernel = np.asarray(model.get_layer("conv").kernel).copy()
    kernel[..., 2] = 0
    model.get_layer("conv").kernel.assign(kernel)
    small = decompose(model, {"conv": (7, 6)})
    assert_same_outputs(small, model)
    assert np.linalg.norm(np.asarray(small.get_layer("conv_tucker_2").kernel)[0, 0], axis=1).min() > 0


def test_the_three_layers():
    options = {"strides": 2, "padding": "same", "activation": "relu", "kernel_regularizer": "l2", "name": "conv"}
    inputs = keras.Input((8, 8, 6))
    model = randomized(keras.Model(inputs, layers.Conv2D(5, (3, 5), **options)(inputs)))
    small = decompose(model, {"conv": (4, 3)})
    first, core, last = small.layers[1:]
    assert [layer.name for layer in (first, core, last)] == ["conv_tucker_0", "conv_tucker_1", "conv_tucker_2"]
    assert [layer.kernel.shape for layer in (first, core, last)] == [(1, 1, 6, 4), (3, 5, 4, 3), (1, 1, 3, 5)]
    assert [layer.strides for layer in (first, core, last)] == [(1, 1), (2, 2), (1, 1)]
    assert [layer.padding for layer in (first, core, last)] == ["valid", "same", "valid"]
    assert [layer.use_bias for layer in (first, core, last)] == [False, False, True]
    assert [layer.activation.__name__ for layer in (first, core, last)] == ["linear", "linear", "relu"]
    np.testing.assert_array_equal(last.bias, model.get_layer("conv").bias)
    assert last.kernel_regularizer is not None


def test_only_the_core_is_dilated():
    small = decompose(single_conv(dilation_rate=2), {"conv": (3, 3)})
    assert [layer.dilation_rate for layer in small.layers[1:]] == [(1, 1), (2, 2), (1, 1)]


def test_the_original_is_untouched():
    model = randomized(models.residual())
    x = images(model)
    before, nodes = outputs(model, x), [len(layer._inbound_nodes) for layer in model.layers]
    small = decompose(model, {"b0.conv2": (3, 4)})
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    np.testing.assert_array_equal(outputs(model, x)[0], before[0])
    for name in ("conv1", "b1.conv2", "linear"):
        for old, new in zip(model.get_layer(name).get_weights(), small.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    assert not {id(v) for v in model.variables} & {id(v) for v in small.variables}


def test_parts_are_not_decomposed_again():
    small = decompose(randomized(models.residual()), {"b0.conv2": (3, 4)})
    with pytest.raises(ParameterError, match="'b0.conv2_tucker_1' cannot be decomposed: it is already a part of a"):
        decompose(small, {"b0.conv2_tucker_1": (2, 2)})


def test_a_layer_that_pruning_made_narrow_can_be_decomposed():
    model = prune(randomized(models.residual()), {"add_1": 0.75})
    assert model.get_layer("b0.shortcut").filters == 2
    assert_same_outputs(decompose(model, {"b1.conv1": (2, 7)}), model)


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ({"b0.conv2": (6, 4)}, "In Rank of 'b0.conv2': expected at most its 5 input channels, received 6; lower it"),
        ({"b0.conv2": (5, 9)}, "Out Rank of 'b0.conv2': expected at most its 8 output channels, received 9; lower it"),
        ({"b0.convv": (5, 9)}, "unknown convolution 'b0.convv'; nearest: "),
        ({"conv1": (1, 1)}, "layer 'conv1' cannot be decomposed: it reads the model's input, of only 3 channels"),
    ],
)
def test_ranks_that_do_not_fit(ranks, message):
    with pytest.raises(ParameterError) as caught:
        decompose(models.residual(), ranks)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("size", "stride", "ranks", "saves"),
    [
        # 3x3, 16 to 16 channels: 2304 weights; stride 1 leaves the multiply-accumulates in proportion.
        (3, 1, (8, 8), True),  # 16 * 8 + 9 * 8 * 8 + 8 * 16 = 832
        (3, 1, (13, 14), True),  # 208 + 1638 + 224 = 2070
        (3, 1, (15, 15), False),  # 240 + 2025 + 240 = 2505
        # 1x1, stride 2: 256 weights on 5x4 positions are 5120 multiply-accumulates; the first layer works on 9x8.
        (1, 2, (2, 2), True),  # 36 + 32 weights; 32 * 72 + 36 * 20 = 3024
        (1, 2, (4, 4), False),  # 64 + 16 + 64 = 144 weights, but 64 * 72 + 80 * 20 = 6208
    ],
)
def test_saves_only_with_fewer_weights_and_operations(size, stride, ranks, saves):
    node = analyse(single_conv(size, (16, 16), strides=stride, padding="same")).node("conv")
    assert tucker_saves(node, 16, 16, ranks) is saves


def test_saving_is_judged_at_the_channels_that_pruning_leaves():
    node = analyse(single_conv(3, (16, 16), padding="same")).node("conv")
    assert not tucker_saves(node, 4, 16, (4, 16))  # 16 + 576 + 256 >= 576
    assert tucker_saves(node, 4, 16, (4, 8))  # 16 + 288 + 128 < 576


def test_convolutions_that_read_an_augmented_image_stay_whole():
    inputs = keras.Input((6, 6, 3))
    augmented = layers.Rescaling(2.0)(layers.RandomContrast(0.1)(layers.RandomFlip()(inputs)))
    flipped = augmented[..., ::-1]  # RGB to BGR
    model = keras.Model(inputs, models.head(models.conv(models.conv(flipped, "a", 4), "b", 4)))
    graph = analyse(model)
    assert [layer.layer for layer in graph.decomposable] == ["b"]
    assert graph.undecomposable[0].reason == "it reads the model's input, of only 3 channels"


def test_parts_may_not_take_the_name_of_another_layer():
    inputs = keras.Input((6, 6, 4))
    model = keras.Model(inputs, models.head(models.conv(models.conv(inputs, "a", 4), "a_tucker_0", 4)))
    with pytest.raises(
        ParameterError, match="^layer 'a' cannot be decomposed: the model has another layer 'a_tucker_0'"
    ):
        analyse(model).convolution("a")
