"""Batch normalization by rows against TensorFlow's own, values and gradients, in any rank."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.kernels.batch_normalization import apply_factors, normalize_batch

SHAPES = [(7, 5), (6, 4, 3), (5, 4, 3, 2), (3, 1, 1, 9), (2, 3, 2, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_statistics_and_gradients_are_those_of_the_definition(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(2, 3, shape), tf.float32)
    scale, offset, above = (tf.constant(rng.normal(size=s), tf.float32) for s in (shape[-1:], shape[-1:], shape))
    axes = list(range(len(shape) - 1))
    result, expected = [], []
    for outputs, into in ((None, result), (1, expected)):
        with tf.GradientTape() as tape:
            tape.watch([x, scale, offset])
            if outputs is None:
                y, mean, variance = normalize_batch(x, scale, offset, 0.01)
            else:
                mean, variance = tf.nn.moments(x, axes)
                y = tf.nn.batch_normalization(x, mean, variance, offset, scale, 0.01)
            loss = tf.reduce_sum(y * above)
        into.extend([y, mean, variance, *tape.gradient(loss, [x, scale, offset])])
    for one, other in zip(result, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_factors_are_applied_by_channel(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    x, slope, shift = (rng.normal(size=s).astype(np.float32) for s in (shape, shape[-1:], shape[-1:]))
    result = apply_factors(*map(tf.constant, (x, slope, shift)))
    np.testing.assert_allclose(result.numpy(), x * slope + shift, rtol=1e-5, atol=1e-6)
