"""LiteRT (TensorFlow Lite), in float32 and with int8 weights and activations."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from compress.errors import ModelError
from objectives.cost.litert import litert_content, litert_converter, litert_interpreter
from search.pipeline.formats.calls import traced
from search.pipeline.formats.format import Array, Format, Run


def _write(model: Any, path: Path, images: Array) -> None:
    path.write_bytes(_content(model, images, int8=False))


def _write_int8(model: Any, path: Path, images: Array) -> None:
    path.write_bytes(_content(model, images, int8=True))


def _content(model: Any, images: Array, int8: bool) -> bytes:
    import tensorflow as tf

    # The image size is fixed even for a model that takes any: LiteRT plans its memory by it.
    function = traced(model, images.shape[1:])
    converter = litert_converter(model, function)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    try:
        return litert_content(converter)
    except Exception as error:  # The converter raises errors of several types from its C++ part.
        kinds = re.findall(r"(?:Custom|Flex) ops: (.+)", str(error))
        others = [layer for layer in model.layers if layer.compute_dtype != "float32"]
        if not kinds and others:
            raise ModelError(
                f"LiteRT does not hold all of a model that computes in {others[0].compute_dtype}, as its layer "
                f"'{others[0].name}' does; give its layers the policy float32, or choose another format"
            ) from error
        if not kinds:
            raise
        types = {kind.strip() for line in kinds for kind in line.split(",")}
        raise ModelError(
            f"LiteRT has no {_computed(function, types)}; change the model, or choose another format"
        ) from error


def _computed(function: Any, types: set[str]) -> str:
    """TensorFlow's operations of these types, and where the model computes them."""
    places = [operation.name for operation in function.graph.get_operations() if operation.type in types]
    return f"{', '.join(sorted(types))}, which the model computes in {', '.join(places)}"


def _load(path: Path) -> Run:
    interpreter = litert_interpreter(path.read_bytes(), threads=1)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(images: Array) -> Array:
        outputs = []
        for image in images:
            interpreter.set_tensor(source["index"], image[np.newaxis])
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(target["index"]))
        return np.concatenate(outputs)

    return run


TFLITE = Format("tflite", ".tflite", _write, _load, order=40)
TFLITE_INT8 = Format("tflite-int8", "-int8.tflite", _write_int8, _load, order=50, exact=False)
