"""Batch normalization in training, with gradients of its own.

There are two forms, because TensorFlow's fused kernels take no inputs of other than a multiple of 16 positions, and the
form that takes any costs more: with oneDNN, as workers have it, a step of ResNet-20 on 128 images takes 15 % more
processor time in float32 and 40 % more in bfloat16.
"""

import math
from typing import Any

import tensorflow as tf

from zoo.kernels.hardware import has_gpu

_SIDE_BY_SIDE = 16


_TYPES = (tf.float32, tf.bfloat16, tf.float16)


def takes(inputs: Any) -> bool:
    """Whether inputs (N, ..., C) are of a type of the kernels, and known to have a multiple of 16 positions.

    The axes that are known are enough: of any number of images of 8 by 8. Not on a GPU, whose kernels want other
    shapes.
    """
    if inputs.shape.rank is None:
        return False
    positions = math.prod(size for size in inputs.shape[:-1] if size is not None)
    return positions % _SIDE_BY_SIDE == 0 and inputs.dtype in _TYPES and not has_gpu()


def normalize_fused(inputs: Any, scale: Any, offset: Any, epsilon: float, rectify: bool) -> tuple[Any, Any, Any]:
    """Normalize with the batch's own statistics (Ioffe & Szegedy 2015, algorithm 1), and rectify if asked to.

    Args:
        inputs: float32, bfloat16 or float16 (N, ..., C), with a multiple of 16 positions.
        scale: gamma, float32 (C,).
        offset: beta, float32 (C,).
        epsilon: added to the variance.
        rectify: whether negative outputs become zero.

    Returns:
        The outputs, of the shape and type of the inputs, and the batch's mean and biased variance, float32 (C,) each,
        which carry no gradient.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(inputs: Any, scale: Any, offset: Any) -> Any:
        shape = tf.shape(inputs)
        columns = tf.reshape(inputs, [-1, 1, 1, _SIDE_BY_SIDE * shape[-1]])
        mean, variance = _statistics(columns)
        kernel = _Kernel(_tiled(mean), _tiled(variance), epsilon)
        outputs = kernel.apply(columns, _tiled(scale), _tiled(offset))
        if rectify:
            outputs = tf.nn.relu(outputs)

        def gradient(upstream: Any, *_: Any) -> tuple[Any, Any, Any]:
            above = tf.reshape(upstream, tf.shape(columns))
            if rectify:
                above = tf.raw_ops.ReluGrad(gradients=above, features=outputs)
            to_columns, to_scale, to_offset = kernel.gradient(above, columns, _tiled(scale))
            to_scale, to_offset = _total(to_scale), _total(to_offset)
            # What the batch's mean and variance pass on is affine in the inputs, as the outputs are.
            share = scale * tf.math.rsqrt(variance + epsilon) / _positions(columns)
            passed_on = kernel.apply(columns, _tiled(share * to_scale), _tiled(share * to_offset))
            return tf.reshape(to_columns - passed_on, shape), to_scale, to_offset

        return (tf.reshape(outputs, shape), mean, variance), gradient

    outputs, mean, variance = normalized(inputs, scale, offset)
    return tf.ensure_shape(outputs, inputs.shape), tf.stop_gradient(mean), tf.stop_gradient(variance)


class _Kernel:
    """TensorFlow's normalization of columns with statistics that are given."""

    def __init__(self, mean: Any, variance: Any, epsilon: float) -> None:
        self._mean, self._variance, self._epsilon = mean, variance, epsilon

    def apply(self, columns: Any, scale: Any, offset: Any) -> Any:
        """The columns normalized, times a scale plus an offset."""
        return tf.raw_ops.FusedBatchNormV3(
            x=columns,
            scale=scale,
            offset=offset,
            mean=self._mean,
            variance=self._variance,
            epsilon=self._epsilon,
            is_training=False,
        ).y

    def gradient(self, above: Any, columns: Any, scale: Any) -> tuple[Any, Any, Any]:
        """With respect to the columns, scale and offset, as if the statistics did not depend on the columns."""
        gradients = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=above,
            x=columns,
            scale=scale,
            reserve_space_1=self._mean,
            reserve_space_2=self._variance,
            reserve_space_3=tf.zeros([0]),
            epsilon=self._epsilon,
            is_training=False,
        )
        return gradients.x_backprop, gradients.scale_backprop, gradients.offset_backprop


def _statistics(columns: Any) -> tuple[Any, Any]:
    """Mean and biased variance of every channel, (C,) each, from those of its columns."""
    ones = tf.ones(tf.shape(columns)[-1:])
    batch = tf.raw_ops.FusedBatchNormV3(x=columns, scale=ones, offset=ones, mean=tf.zeros([0]), variance=tf.zeros([0]))
    rows = tf.cast(tf.shape(columns)[0], tf.float32)
    means = tf.reshape(batch.batch_mean, [_SIDE_BY_SIDE, -1])
    # The kernel gives the unbiased estimate.
    within = tf.reshape(batch.batch_variance, [_SIDE_BY_SIDE, -1]) * (tf.maximum(rows - 1, 1) / rows)
    mean = tf.reduce_mean(means, axis=0)
    return mean, tf.reduce_mean(within + tf.math.squared_difference(means, mean), axis=0)


def _positions(columns: Any) -> Any:
    return tf.cast(_SIDE_BY_SIDE * tf.shape(columns)[0], tf.float32)


def _tiled(vector: Any) -> Any:
    """A value for every channel, once for every position of a row."""
    return tf.tile(vector, [_SIDE_BY_SIDE])


def _total(sums: Any) -> Any:
    """Sums over columns put together for every channel, (C,)."""
    return tf.reduce_sum(tf.reshape(sums, [_SIDE_BY_SIDE, -1]), axis=0)


def normalize_batch(
    inputs: Any, scale: Any, offset: Any, epsilon: float, rectify: bool = False
) -> tuple[Any, Any, Any]:
    """Normalize with the batch's own statistics (Ioffe & Szegedy 2015, algorithm 1), and rectify if asked to.

    Args:
        inputs: of any floating type, (N, ..., C).
        scale: gamma, float32 (C,).
        offset: beta, float32 (C,).
        epsilon: added to the variance.
        rectify: whether negative outputs become zero.

    Returns:
        The outputs, of the shape and type of the inputs, and the batch's mean and biased variance, float32 (C,) each,
        which carry no gradient.
    """
    if takes(inputs):
        return normalize_fused(inputs, scale, offset, epsilon, rectify)
    outputs, mean, variance = normalize_rows(tf.cast(inputs, tf.float32), scale, offset, epsilon)
    outputs = tf.cast(tf.nn.relu(outputs) if rectify else outputs, inputs.dtype)
    return outputs, mean, variance


def normalize_rows(inputs: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """What ``normalize_batch`` does, for float32 inputs with any number of positions, without rectifying."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(inputs: Any, scale: Any, offset: Any) -> Any:
        rows = _Rows(inputs)
        values = rows.of(inputs)
        mean = rows.total(values) / rows.positions
        variance = rows.total(tf.math.squared_difference(values, rows.tiled(mean))) / rows.positions
        inverse = tf.math.rsqrt(variance + epsilon)
        slope = scale * inverse
        outputs = rows.back(values * rows.tiled(slope) + rows.tiled(offset - mean * slope))

        def gradient(upstream: Any, *_: Any) -> tuple[Any, Any, Any]:
            # The paper's gradients, collected into one multiple of the upstream gradient and one of the inputs.
            above = rows.of(upstream)
            to_offset = rows.total(above)
            to_scale = (rows.total(above * values) - mean * to_offset) * inverse
            factor = slope * inverse * to_scale / rows.positions
            constant = factor * mean - slope * to_offset / rows.positions
            to_inputs = above * rows.tiled(slope) - values * rows.tiled(factor) + rows.tiled(constant)
            return rows.back(to_inputs), to_scale, to_offset

        return (outputs, mean, variance), gradient

    outputs, mean, variance = normalized(inputs, scale, offset)
    return outputs, tf.stop_gradient(mean), tf.stop_gradient(variance)


def apply_factors(inputs: Any, slope: Any, shift: Any) -> Any:
    """Float32 inputs (N, ..., C) times a slope plus a shift, (C,) each, as inference normalizes."""
    rows = _Rows(inputs)
    return rows.back(rows.of(inputs) * rows.tiled(slope) + rows.tiled(shift))


class _Rows:
    """The view of a tensor (N, ..., W, C) as (rows, W x C); of vectors (N, C) as it is."""

    def __init__(self, inputs: Any) -> None:
        self._shape = tf.shape(inputs)
        self._channels = self._shape[-1]
        self._width = self._shape[-2] if inputs.shape.rank > 2 else 1
        self.positions = tf.cast(tf.reduce_prod(self._shape[:-1]), tf.float32)
        self._static = inputs.shape

    def of(self, values: Any) -> Any:
        """Values as rows."""
        return tf.reshape(values, [-1, self._width * self._channels])

    def back(self, rows: Any) -> Any:
        """Rows as they were."""
        return tf.ensure_shape(tf.reshape(rows, self._shape), self._static)

    def tiled(self, vector: Any) -> Any:
        """A value for every channel, once for every position of a row."""
        return tf.tile(vector, [self._width])

    def total(self, rows: Any) -> Any:
        """Sum over all positions, (C,)."""
        sums = tf.reduce_sum(rows, axis=0)
        return tf.reduce_sum(tf.reshape(sums, [self._width, self._channels]), axis=0)
