"""Constraints hold for the kernel of a layer, not for the factors that multiply to it."""

import keras
import numpy as np
import pytest
from keras import layers

from compress.decomposition.cp import decompose_cp
from compress.decomposition.svd import decompose_svd
from compress.decomposition.tucker import decompose
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import conv, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs

CONSTRAINTS = {
    "non_neg": lambda axes: keras.constraints.NonNeg(),
    "max_norm": lambda axes: keras.constraints.MaxNorm(0.5, axis=axes),
    "unit_norm": lambda axes: keras.constraints.UnitNorm(axis=axes),
}
METHODS = {
    "tucker": lambda model: decompose(model, {"c1": (6, 6)}),
    "recipe": lambda model: apply_parameters(model, CompressionParameters({}, {"c1": (6, 6)})),
    "svd": lambda model: decompose_svd(model, {"dense": 6, "point": 6}),
    "cp": lambda model: decompose_cp(model, {"c1": 36}),
}


def constrained(name):
    """A model with layers for all methods, in which every kernel obeys the constraint."""
    constraint = CONSTRAINTS[name]([0, 1, 2])
    x = inputs = keras.Input((5, 5, 3))
    x = conv(x, "c0", 6)
    x = conv(x, "c1", 6, kernel_constraint=constraint, kernel_regularizer="l2", bias_constraint="non_neg")
    x = conv(x, "point", 6, 1, kernel_constraint=constraint)
    x = layers.GlobalAveragePooling2D()(x)
    dense = layers.Dense(6, name="dense", kernel_constraint=CONSTRAINTS[name](0))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="last")(dense(x))))
    for layer in (model.get_layer("c1"), model.get_layer("point"), dense):
        layer.kernel.assign(layer.kernel_constraint(layer.kernel.value))
    model.get_layer("c1").bias.assign(np.abs(model.get_layer("c1").bias))
    return model


def step_without_learning(model):
    """A training step that changes only what constraints change."""
    x = images(model)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.train_on_batch(x, np.zeros((len(x), 2)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_training_step_does_not_change_factors_by_the_constraint_of_the_kernel(constraint, method):
    model = constrained(constraint)
    small = METHODS[method](model)
    assert_same_outputs(small, model, tolerance=1e-3)
    before = outputs(small, images(model))[0]
    step_without_learning(small)
    np.testing.assert_allclose(outputs(small, images(model))[0], before, rtol=1e-4, atol=1e-5)


def test_other_penalties_and_constraints_stay():
    small = METHODS["tucker"](constrained("non_neg"))
    parts = [small.get_layer(f"c1_tucker_{part}") for part in range(3)]
    assert all(isinstance(part.kernel_regularizer, keras.regularizers.L2) for part in parts)
    assert isinstance(parts[2].bias_constraint, keras.constraints.NonNeg)
    assert isinstance(small.get_layer("dense").kernel_constraint, keras.constraints.NonNeg)
