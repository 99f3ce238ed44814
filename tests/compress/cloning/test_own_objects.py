"""Initializers, regularizers and constraints of the user's, which Keras does not find by their names."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from compress.cloning.layer_copy import copy_layer
from compress.cloning.rebuild import copy_model
from compress.decomposition.cp import decompose_cp
from compress.decomposition.svd import decompose_svd
from compress.decomposition.tucker import decompose
from compress.model_files.files import load_model, save_model
from compress.pruning.pruning import prune
from tests.compress.fixtures.models import conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs


def ones(shape, dtype=None):
    return ops.ones(shape, dtype)


class Ones(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return ops.ones(shape, dtype)


class Twice(keras.regularizers.Regularizer):
    def __init__(self, factor):
        self.factor = factor

    def get_config(self):
        return {"factor": self.factor}

    def __call__(self, weight):
        return self.factor * ops.sum(ops.square(weight))


class Below(keras.constraints.Constraint):
    def __init__(self, most):
        self.most = most

    def get_config(self):
        return {"most": self.most}

    def __call__(self, weight):
        return ops.minimum(weight, self.most)


def total(weight):
    return ops.sum(weight)


def below(weight):
    return ops.minimum(weight, 0.2)


OWN = {
    "initializer function": {"kernel_initializer": ones, "bias_initializer": ones},
    "initializer": {"kernel_initializer": Ones()},
    "initializer array": {"bias_initializer": np.arange(8.0)},
    "regularizer": {"kernel_regularizer": Twice(0.1), "bias_regularizer": total},
    "activity regularizer": {"activity_regularizer": Twice(0.1)},
    "constraint": {"bias_constraint": Below(0.2)},
    "constraint function": {"bias_constraint": below},
}


def model_with(**options):
    inputs = keras.Input((6, 6, 3))
    x = conv(conv(inputs, "c0", 8), "c1", 8, **options)
    x = layers.Dense(8, name="hidden", **options)(x)
    return randomized(keras.Model(inputs, head(x)))


@pytest.mark.parametrize("kind", OWN)
def test_layers_with_objects_of_the_user_are_copied(kind):
    model = model_with(**OWN[kind])
    whole = [copy_model(model), decompose(model, {"c1": (8, 8)}), decompose_svd(model, {"hidden": 8})]
    for made in [*whole, decompose_cp(model, {"c1": 64})]:
        assert_same_outputs(made, model, tolerance=1e-3)
    for made in (copy_model(model), prune(model, {"c1": 0.5, "c0": 0.25})):
        for name, value in OWN[kind].items():
            if not name.endswith("initializer"):
                assert getattr(made.get_layer("c1"), name) is value


def test_penalties_of_the_user_count_after_pruning_and_decomposition():
    """Half of the channels of ones have half of the sum of squares."""
    model = model_with(kernel_regularizer=Twice(0.5))
    for name in ("c0", "c1", "hidden"):
        model.get_layer(name).kernel.assign(ops.ones_like(model.get_layer(name).kernel))
    before = [float(loss) for loss in model.losses]
    assert before == [0.5 * 9 * 8 * 8, 0.5 * 8 * 8]
    assert [float(loss) for loss in prune(model, {"c1": 0.5}).losses] == [before[0] / 2, before[1] / 2]
    assert len(decompose_cp(model, {"c1": 3}).losses) == 4


def test_copies_forget_initializers_that_files_could_not_name(tmp_path):
    model = model_with(kernel_initializer=ones, bias_initializer=Ones())
    again = load_model(save_model(copy_model(model), tmp_path / "model.keras"))
    np.testing.assert_allclose(outputs(again, images(model))[0], outputs(model, images(model))[0], rtol=1e-5)


def test_initializers_of_keras_stay():
    layer = layers.Conv2D(4, 3, kernel_initializer=keras.initializers.HeNormal(seed=3), kernel_regularizer="l2")
    made = copy_layer(layer)
    assert isinstance(made.kernel_initializer, keras.initializers.HeNormal) and made.kernel_initializer.seed == 3
    assert made.kernel_regularizer is not layer.kernel_regularizer


@pytest.mark.parametrize(
    "layer",
    [
        layers.MultiHeadAttention(2, 3, kernel_initializer=Ones(), kernel_regularizer=Twice(0.1)),
        layers.LSTM(3, recurrent_initializer=ones, kernel_constraint=Below(0.2)),
        layers.BatchNormalization(gamma_initializer=ones, beta_regularizer=Twice(0.1)),
        layers.SeparableConv1D(3, 3, depthwise_initializer=ones, pointwise_constraint=Below(0.2)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_layers_with_objects_of_the_user(layer):
    x = keras.Input((6, 4))
    model = randomized(keras.Model(x, layer(x, x) if isinstance(layer, layers.MultiHeadAttention) else layer(x)))
    assert_same_outputs(copy_model(model), model, tolerance=1e-5)
