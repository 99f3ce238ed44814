"""The file formats that a model is shipped in: how each is written, and how it is loaded back."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from compress.errors import ModelError
from compress.model_files.files import load_model
from objectives.cost.litert import litert_content, litert_converter, litert_interpreter
from search.runs.exports import FormatName

Array = npt.NDArray[np.float32]
Run = Callable[[Array], Array]
"""From images as the model takes them, (N, H, W, C), to outputs, (N, classes); any N."""


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        ending: of the file's name.
        write: a model with one input and one output into a file; the images are training images, (N, H, W, C), from
            which int8 takes the ranges of values.
        load: the file, as whoever uses it would load it, on one thread where the format lets one choose.
        exact: whether it computes in float32, so that every class must be the Keras model's.
        packages: that must be installed; the extra ``ship`` has them.
    """

    ending: str
    write: Callable[[Any, Path, Array], None]
    load: Callable[[Path], Run]
    exact: bool = True
    packages: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]


def keras_run(model: Any) -> Run:
    """A Keras model as a function of arrays, traced once for any number of images."""
    function = _traced(model, tuple(model.input_shape[1:]))

    def run(images: Array) -> Array:
        return np.asarray(function(tf.constant(images)).numpy(), np.float32)

    return run


def _traced(model: Any, shape: tuple[int | None, ...]) -> Any:
    def call(images: Any) -> Any:
        return model(images, training=False)

    function = tf.function(call, autograph=False)
    return function.get_concrete_function(tf.TensorSpec((None, *shape), tf.float32))


def _write_keras(model: Any, path: Path, images: Array) -> None:
    with _quiet():  # Keras calls .h5 files legacy; who asks for one has an older reader.
        model.save(path)


def _load_keras(path: Path) -> Run:
    return keras_run(keras.models.load_model(path, compile=False))


def _load_h5(path: Path) -> Run:
    return keras_run(load_model(path))


def _write_saved_model(model: Any, path: Path, images: Array) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _load_saved_model(path: Path) -> Run:
    loaded = tf.saved_model.load(path)

    def run(images: Array) -> Array:
        return np.asarray(loaded.serve(tf.constant(images)).numpy(), np.float32)

    return run


def _write_tflite(model: Any, path: Path, images: Array) -> None:
    path.write_bytes(_tflite(model, images, int8=False))


def _write_tflite_int8(model: Any, path: Path, images: Array) -> None:
    path.write_bytes(_tflite(model, images, int8=True))


def _tflite(model: Any, images: Array, int8: bool) -> bytes:
    # The size of images is fixed here, also of a model that takes any: LiteRT plans its memory by it.
    function = _traced(model, images.shape[1:])
    converter = litert_converter(model, function)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    try:
        return litert_content(converter)
    except Exception as error:  # The converter raises what its C++ part met, of several types.
        kinds = re.findall(r"(?:Custom|Flex) ops: (.+)", str(error))
        if not kinds:
            raise
        types = {kind.strip() for line in kinds for kind in line.split(",")}
        raise ModelError(f"LiteRT has no {_computed(function, types)}; compute it otherwise") from error


def _computed(function: Any, types: set[str]) -> str:
    """TensorFlow's operations of these types, and where the model computes them."""
    places = [operation.name for operation in function.graph.get_operations() if operation.type in types]
    return f"{', '.join(sorted(types))}, which the model computes in {', '.join(places)}"


def _load_tflite(path: Path) -> Run:
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


def _write_onnx(model: Any, path: Path, images: Array) -> None:
    with _quiet(), warnings.catch_warnings():
        # Keras asks NumPy for names that NumPy 2 no longer has.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(path, format="onnx", verbose=False)


def _load_onnx(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()

    def run(images: Array) -> Array:
        (outputs,) = session.run(None, {source.name: images})
        return np.asarray(outputs, np.float32)

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what TensorFlow's, Keras's and tf2onnx's loggers write; what goes wrong is raised."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


FORMATS: Mapping[FormatName, Format] = MappingProxyType(
    {
        "keras": Format(".keras", _write_keras, _load_keras),
        "h5": Format(".h5", _write_keras, _load_h5),
        "savedmodel": Format(".savedmodel", _write_saved_model, _load_saved_model),
        "tflite": Format(".tflite", _write_tflite, _load_tflite),
        "tflite-int8": Format("-int8.tflite", _write_tflite_int8, _load_tflite, exact=False),
        "onnx": Format(".onnx", _write_onnx, _load_onnx, packages=("onnx", "onnxruntime", "tf2onnx")),
    }
)
