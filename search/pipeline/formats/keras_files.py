"""Files that Keras itself writes: ``.keras``, ``.h5``, and TensorFlow's SavedModel, a folder."""

from pathlib import Path
from typing import Any

import numpy as np

from search.pipeline.formats.calls import keras_run, quiet
from search.pipeline.formats.format import Array, Format, Run


def _write(model: Any, path: Path, images: Array) -> None:
    with quiet():  # Keras warns that .h5 is a legacy format.
        model.save(path)


def _load_keras(path: Path) -> Run:
    import keras

    return keras_run(keras.models.load_model(path, compile=False))


def _load_h5(path: Path) -> Run:
    from compress.model_files.files import load_model

    return keras_run(load_model(path))


def _write_saved_model(model: Any, path: Path, images: Array) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _load_saved_model(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    # Takes the input by its name, and names the output, whatever structure the model has them in.
    signature = loaded.signatures["serving_default"]
    ((name, given),) = signature.structured_input_signature[1].items()

    def run(images: Array) -> Array:
        (output,) = signature(**{name: tf.cast(images, given.dtype)}).values()
        return np.asarray(output.numpy(), np.float32)

    return run


KERAS = Format("keras", ".keras", _write, _load_keras, order=10)
H5 = Format("h5", ".h5", _write, _load_h5, order=20)
SAVED_MODEL = Format("savedmodel", ".savedmodel", _write_saved_model, _load_saved_model, order=30)
