"""Keras models as functions of arrays, and a context that silences the libraries which write files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from search.pipeline.formats.format import Array, Run


def keras_run(model: Any) -> Run:
    """A Keras model in inference mode as a function of arrays, traced once for any number of images."""
    import tensorflow as tf

    function = traced(model, tuple(model.input_shape[1:]))

    def run(images: Array) -> Array:
        return np.asarray(function(tf.constant(images)).numpy(), np.float32)

    return run


def traced(model: Any, shape: tuple[int | None, ...]) -> Any:
    """A model in inference mode as a concrete TensorFlow function from images (N, *shape) to its one output."""
    import keras
    import tensorflow as tf

    def call(images: Any) -> Any:
        given = keras.tree.pack_sequence_as(model.input, [images])
        (output,) = keras.tree.flatten(model(given, training=False))
        return output

    function = tf.function(call, autograph=False)
    return function.get_concrete_function(tf.TensorSpec((None, *shape), tf.float32))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the loggers of TensorFlow, Keras and tf2onnx; errors are still raised."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
