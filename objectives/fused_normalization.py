"""Batch normalization of many positions with few channels, in few passes over the memory.

Sixteen positions are put side by side with their channels, (..., C) -> (rows, 16 x C): TensorFlow's fused kernels, fast
where they get whole vectors of channels, then see 16 x C of them, and what they find is put together by channel.
"""

from typing import Any

import tensorflow as tf

from objectives.hardware import has_gpu

_SIDE_BY_SIDE = 16


_TYPES = (tf.float32, tf.bfloat16, tf.float16)


def takes(inputs: Any) -> bool:
    """Whether inputs (N, ..., C) are of a type of the kernels, and known to have a multiple of 16 positions.

    Not on a GPU, whose kernels want other shapes.
    """
    positions = inputs.shape[:-1].num_elements()
    return positions is not None and positions % _SIDE_BY_SIDE == 0 and inputs.dtype in _TYPES and not has_gpu()


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
        found = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=above,
            x=columns,
            scale=scale,
            reserve_space_1=self._mean,
            reserve_space_2=self._variance,
            reserve_space_3=tf.zeros([0]),
            epsilon=self._epsilon,
            is_training=False,
        )
        return found.x_backprop, found.scale_backprop, found.offset_backprop


def _statistics(columns: Any) -> tuple[Any, Any]:
    """Mean and biased variance of every channel, (C,) each, from those of its columns."""
    ones = tf.ones(tf.shape(columns)[-1:])
    found = tf.raw_ops.FusedBatchNormV3(x=columns, scale=ones, offset=ones, mean=tf.zeros([0]), variance=tf.zeros([0]))
    rows = tf.cast(tf.shape(columns)[0], tf.float32)
    means = tf.reshape(found.batch_mean, [_SIDE_BY_SIDE, -1])
    # The kernel gives the unbiased estimate.
    within = tf.reshape(found.batch_variance, [_SIDE_BY_SIDE, -1]) * (tf.maximum(rows - 1, 1) / rows)
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
