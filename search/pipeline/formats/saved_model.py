"""TensorFlow's SavedModel: a folder with the traced function and its weights."""

from pathlib import Path
from typing import Any

import numpy as np

from search.pipeline.formats.format import Array, Format, Run


def _write(model: Any, path: Path, images: Array) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _load(path: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)

    def run(images: Array) -> Array:
        return np.asarray(loaded.serve(tf.constant(images)).numpy(), np.float32)

    return run


SAVED_MODEL = Format("savedmodel", ".savedmodel", _write, _load, order=30)
