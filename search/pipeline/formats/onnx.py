"""ONNX, converted by tf2onnx and run by ONNX Runtime."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from search.pipeline.formats.calls import quiet
from search.pipeline.formats.format import Array, Format, Run


def _write(model: Any, path: Path, images: Array) -> None:
    with quiet(), warnings.catch_warnings():
        # Keras asks NumPy for names that NumPy 2 no longer has.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(path, format="onnx", verbose=False)


def _load(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    kind = source.type.removeprefix("tensor(").removesuffix(")")
    given = np.dtype("float32" if kind == "float" else kind)

    def run(images: Array) -> Array:
        (outputs,) = session.run(None, {source.name: images.astype(given)})
        return np.asarray(outputs, np.float32)

    return run


ONNX = Format("onnx", ".onnx", _write, _load, order=60, packages=("onnx", "onnxruntime", "tf2onnx"))
