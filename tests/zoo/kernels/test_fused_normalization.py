"""Batch normalization by fused kernels against its definition in float64: values, statistics, gradients."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from zoo.kernels.batch_normalization import normalize_fused, takes

EPSILON = 0.01


def case(shape: tuple[int, ...], dtype: Any, seed: int = 1) -> tuple[np.ndarray, ...]:
    """Inputs, scale, offset and the gradient from above, float64 values that the type can hold."""
    rng = np.random.default_rng(seed)
    x, above = (tf.cast(tf.cast(rng.normal(mean, 3, shape), dtype), tf.float64).numpy() for mean in (2, 0))
    return x, rng.normal(size=shape[-1]), rng.normal(size=shape[-1]), above


def result(x: np.ndarray, scale: np.ndarray, offset: np.ndarray, above: np.ndarray, dtype: Any, rectify: bool) -> Any:
    inputs, scale, offset = tf.cast(x, dtype), tf.cast(scale, tf.float32), tf.cast(offset, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([inputs, scale, offset])
        y, mean, variance = normalize_fused(inputs, scale, offset, EPSILON, rectify)
    assert y.dtype == dtype and y.shape == inputs.shape
    gradients = tape.gradient(y, [inputs, scale, offset], tf.cast(above, dtype))
    return [tf.cast(tensor, tf.float64).numpy() for tensor in (y, mean, variance, *gradients)]


def expected(x: np.ndarray, scale: np.ndarray, offset: np.ndarray, above: np.ndarray, rectify: bool) -> Any:
    inputs, scale, offset = (tf.Variable(value) for value in (x, scale, offset))
    axes = list(range(x.ndim - 1))
    with tf.GradientTape() as tape:
        mean, variance = tf.nn.moments(inputs, axes)
        y = (inputs - mean) / tf.sqrt(variance + EPSILON) * scale + offset
        y = tf.nn.relu(y) if rectify else y
    gradients = tape.gradient(y, [inputs, scale, offset], above)
    return [tf.convert_to_tensor(tensor).numpy() for tensor in (y, mean, variance, *gradients)]


@pytest.mark.parametrize("shape", [(16, 5), (4, 4, 3), (3, 8, 2, 1), (2, 8, 8, 17), (4, 2, 2, 5, 6)])
@pytest.mark.parametrize("rectify", [False, True])
def test_outputs_statistics_and_gradients_are_those_of_the_definition(shape: tuple[int, ...], rectify: bool) -> None:
    values = case(shape, tf.float32)
    for one, other in zip(result(*values, tf.float32, rectify), expected(*values, rectify), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
@pytest.mark.parametrize("channels", [1, 7, 16])
def test_of_short_floats_only_inputs_and_outputs_are_rounded(dtype: Any, channels: int) -> None:
    values = case((4, 8, 8, channels), dtype)
    y, mean, variance, *gradients = result(*values, dtype, rectify=True)
    exact_y, exact_mean, exact_variance, *exact_gradients = expected(*values, rectify=True)
    np.testing.assert_allclose(mean, exact_mean, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(variance, exact_variance, rtol=1e-3)
    for one, other in zip((y, *gradients), (exact_y, *exact_gradients), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=0.01 * np.abs(other).max())


def test_values_far_from_zero_keep_their_variance() -> None:
    values = case((8, 4, 4, 3), tf.float32)
    _, _, variance, *_ = result(values[0] + 1000, *values[1:], tf.float32, rectify=False)
    np.testing.assert_allclose(variance, values[0].var(axis=(0, 1, 2)), rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "dtype", "answer"),
    [
        ((4, 2, 2, None), tf.float32, True),
        ((16, 3), tf.bfloat16, True),
        ((4, 2, 2, 3), tf.float64, False),
        ((3, 2, 2, 16), tf.float32, False),
        ((None, 4, 4, 3), tf.float32, True),
        ((None, None, 16, 3), tf.float32, True),
        ((None, 7, 7, 3), tf.float32, False),
        ((None, 3), tf.float32, False),
        (None, tf.float32, False),
    ],
)
def test_it_takes_what_is_known_to_have_a_multiple_of_16_positions(shape: Any, dtype: Any, answer: bool) -> None:
    assert takes(tf.TensorSpec(shape, dtype)) is answer


def test_a_gpu_keeps_its_own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.kernels.batch_normalization.has_gpu", lambda: True)
    assert not takes(tf.TensorSpec((16, 3), tf.float32))
