import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import DataError, ModelError
from compress.parameters import ChannelStep
from compress.pruning.pruning import prune
from compress.pruning.reconstruction import ReconstructionSettings, prune_and_reconstruct
from compress.pruning.settings import PruningSettings
from tests.compress.fixtures import models
from tests.compress.fixtures.models import images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs

EXACT = ReconstructionSettings(places=1000, ridge=1e-12, batch_size=7)


def redundant(layer, independent):
    """Make every filter from the first few: what is left of them can then stand for all."""
    kernel = np.asarray(layer.kernel).copy()
    mix = np.random.default_rng(5).normal(size=(independent, kernel.shape[-1] - independent)) / independent
    kernel[..., independent:] = kernel[..., :independent] @ mix
    layer.kernel.assign(kernel)
    layer.bias.assign(np.concatenate([np.zeros(independent), np.zeros(kernel.shape[-1] - independent)]))


@pytest.mark.parametrize("options", [{}, {"strides": 2, "padding": "same"}, {"use_bias": False}], ids=str)
def test_redundant_channels_leave_no_error(options):
    x = inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(6, 3, name="first")(x)
    x = layers.Conv2D(5, 3, activation="relu", name="second", **options)(x)
    model = randomized(keras.Model(inputs, layers.Dense(3, activation="softmax", name="linear")(layers.Flatten()(x))))
    redundant(model.get_layer("first"), 3)
    result = prune_and_reconstruct(model, {"first": 0.5}, images(model, count=20), settings=EXACT)
    assert result.model.get_layer("first").filters == 3
    assert result.reconstructed == ("second", "linear")
    assert_same_outputs(result.model, model, tolerance=1e-3)
    pruned = prune(model, {"first": 0.5})
    assert np.abs(outputs(pruned, images(model))[0] - outputs(model, images(model))[0]).max() > 0.05


def test_every_layer_is_the_least_squares_fit_on_inputs_that_hold_the_earlier_errors():
    x = inputs = keras.Input((4, 4, 5))
    for name, filters in (("a", 6), ("b", 5), ("c", 4)):
        x = layers.Conv2D(filters, 1, activation="tanh", name=name)(x)
    model = randomized(keras.Model(inputs, x))
    calibration = images(model, count=20)
    result = prune_and_reconstruct(model, {"a": 0.5, "b": 0.4}, calibration, settings=EXACT).model
    bare = prune(model, {"a": 0.5, "b": 0.4})
    kept_b = [
        np.flatnonzero(np.asarray(model.get_layer("b").bias) == b)[0] for b in np.asarray(bare.get_layer("b").bias)
    ]

    def inputs_of(net, name):
        values = keras.Model(net.inputs, net.get_layer(name).input)([calibration])
        rows = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
        return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)

    for name, kept in (("b", kept_b), ("c", range(4))):
        layer = model.get_layer(name)
        whole = np.concatenate([np.asarray(layer.kernel)[0, 0], np.asarray(layer.bias)[None]])[:, list(kept)]
        target = inputs_of(model, name) @ whole
        best = np.linalg.lstsq(inputs_of(result, name), target, rcond=None)[0]
        fitted = result.get_layer(name)
        np.testing.assert_allclose(np.asarray(fitted.kernel)[0, 0], best[:-1], atol=1e-4)
        np.testing.assert_allclose(np.asarray(fitted.bias), best[-1], atol=1e-4)


def test_a_firm_ridge_keeps_the_pruned_weights():
    model = randomized(models.residual())
    settings = ReconstructionSettings(ridge=1e9)
    result = prune_and_reconstruct(model, {"conv1": 0.5}, images(model, count=4), settings=settings)
    for fitted, pruned in zip(result.model.get_weights(), prune(model, {"conv1": 0.5}).get_weights(), strict=True):
        np.testing.assert_allclose(fitted, pruned, atol=1e-5)


def test_nothing_pruned_changes_nothing():
    model = randomized(models.residual())
    result = prune_and_reconstruct(model, {}, images(model, count=4))
    assert_same_outputs(result.model, model)


def test_the_original_is_untouched():
    model = randomized(models.residual())
    before = [np.array(weight) for weight in model.get_weights()]
    prune_and_reconstruct(model, {"add_1": 0.5}, images(model, count=4))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_same_seed_gives_the_same_weights():
    model = randomized(models.residual())
    settings = ReconstructionSettings(places=3)
    first, second = (
        prune_and_reconstruct(model, {"conv1": 0.5}, images(model, count=4), settings=settings).model for _ in range(2)
    )
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_that_are_left_are_named():
    inputs = keras.Input((6, 6, 4))
    shared = layers.Conv2D(8, 3, padding="same", name="shared")
    x = layers.Conv2D(8, 1, name="first")(inputs)
    x = layers.Conv2D(8, 3, groups=2, name="grouped")(shared(shared(x)))
    x = layers.Dense(3, name="linear")(layers.GlobalAveragePooling2D()(x))
    model = randomized(keras.Model(inputs, x))
    result = prune_and_reconstruct(model, {}, images(model))
    assert result.reconstructed == ("linear",)
    assert [(left.name, left.reason) for left in result.left] == [
        ("first", "it reads the model's input, which pruning does not change"),
        ("shared", "it is called several times"),
        ("grouped", "it is a grouped convolution (groups=2)"),
    ]


def test_layers_that_another_model_uses_too():
    model = randomized(models.chain())
    other = keras.Input((8, 8, 8))
    model.get_layer("conv2")(other)
    result = prune_and_reconstruct(model, {"conv1": 0.5}, images(model, count=4))
    assert result.reconstructed == ("conv2", "linear")


def test_inputs_of_any_size():
    x = inputs = keras.Input((None, None, 3))
    x = keras.ops.relu(layers.Conv2D(6, 3, name="second")(layers.Conv2D(8, 3, name="first")(x)))
    x = layers.Dense(3, name="linear")(layers.GlobalAveragePooling2D()(x))
    model = randomized(keras.Model(inputs, x))
    result = prune_and_reconstruct(model, {"first": 0.5}, np.ones((2, 9, 9, 3), np.float32))
    assert result.reconstructed == ("linear",)
    assert result.left[1].reason == "its input has no fixed size (None, None, None, 8)"


def test_kept_channels_are_rounded_up():
    model = randomized(models.chain())
    result = prune_and_reconstruct(model, {"conv1": 0.5}, images(model), pruning=PruningSettings(step=ChannelStep(3)))
    assert result.model.get_layer("conv1").filters == 6


@pytest.mark.parametrize("shape", [(4, 8, 8, 1), (0, 8, 8, 3), (8, 8, 3)], ids=str)
def test_images_that_do_not_fit(shape):
    with pytest.raises(DataError, match=r"expected calibration images of shapes \[\(8, 8, 3\)\], one or more"):
        prune_and_reconstruct(models.chain(), {}, np.zeros(shape, np.float32))


def test_values_that_are_not_finite():
    model = randomized(models.chain())
    with pytest.raises(ModelError, match="layer 'conv2': expected finite inputs and outputs"):
        prune_and_reconstruct(model, {}, np.full((2, 8, 8, 3), np.nan, np.float32))
