"""A Keras model converted to LiteRT (TensorFlow Lite), and the interpreter that runs it."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def litert_converter(model: Any, function: Any) -> Any:
    """A converter of a model.

    Args:
        model: a functional or Sequential model, whose weights the converted one holds.
        function: the model as a concrete function.
    """
    import tensorflow as tf

    # Given a model of Keras 3 to track, the converter finds no variables in it and writes a file without weights, which
    # gives NaN, many times slower. Given nothing, it takes the function's own, but then cannot calibrate for int8.
    tracked = tf.Module()
    tracked.weights = [variable.value for variable in model.variables]
    return tf.lite.TFLiteConverter.from_concrete_functions([function], tracked)


def litert_content(converter: Any) -> bytes:
    """The converted model, as a ``.tflite`` file holds it.

    Raises:
        Exception: of many types: what the converter's C++ part met.
    """
    with muted():
        content: bytes = converter.convert()
    return content


def litert_interpreter(content: bytes, threads: int) -> Any:
    """An interpreter of a ``.tflite`` file's content, its tensors allocated."""
    import tensorflow as tf

    with warnings.catch_warnings(), muted():
        # The interpreter of TensorFlow announces its successor, the package ai-edge-litert.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def muted() -> Iterator[None]:
    """Discard output of libraries' C++ code to the terminal; errors are still raised."""
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
