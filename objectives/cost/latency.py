"""Measured latency of one forward pass of a built model, by Keras or by LiteRT."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from compress.errors import ModelError, one_line
from objectives.cost.litert import litert_content, litert_converter, litert_interpreter

Runtime = Literal["litert", "keras"]
Clock = Callable[[], float]


@dataclass(frozen=True)
class LatencySettings:
    """How latency is measured.

    Attributes:
        runtime: ``litert``: the model converted to LiteRT (TensorFlow Lite) in float32; ``keras``: a traced function.
        threads: of LiteRT; Keras takes those of its process, TF_NUM_INTRAOP_THREADS in the environment.
        batch: images of one forward pass.
        warm_up: passes that are not timed.
        runs: passes that are timed.
    """

    runtime: Runtime = "litert"
    threads: int = 1
    batch: int = 1
    warm_up: int = 5
    runs: int = 50


@dataclass(frozen=True)
class Latency:
    """Latency of one forward pass, in microseconds.

    Attributes:
        low: first quartile, which other work on the machine disturbs least.
        median: of all passes.
        high: third quartile.
        runs: number of timed passes.
    """

    low: float
    median: float
    high: float
    runs: int

    @property
    def spread(self) -> float:
        """Interquartile range."""
        return self.high - self.low

    @classmethod
    def of(cls, seconds: list[float]) -> "Latency":
        """Quartiles of these durations of passes."""
        low, median, high = np.percentile(np.array(seconds) * 1e6, [25, 50, 75])
        return cls(float(low), float(median), float(high), len(seconds))


def measure_latency(model: Any, settings: LatencySettings, clock: Clock = time.perf_counter) -> Latency:
    """Time a functional or Sequential model on random images.

    Raises:
        ModelError: an input whose size is not fixed, or a model that LiteRT cannot convert or run.
    """
    return time_passes(RUNTIMES[settings.runtime](model, settings), settings, clock)


def time_passes(run: Callable[[], object], settings: LatencySettings, clock: Clock = time.perf_counter) -> Latency:
    """Time a function that makes one forward pass, after passes that are not timed."""
    for _ in range(settings.warm_up):
        run()
    return Latency.of([_timed(run, clock) for _ in range(settings.runs)])


def _timed(run: Callable[[], object], clock: Clock) -> float:
    start = clock()
    run()
    return clock() - start


def _keras(model: Any, settings: LatencySettings) -> Callable[[], None]:
    """One pass of the traced model, to the end of its computation."""
    import tensorflow as tf

    function = _traced(model, settings)
    images = [tf.constant(image) for image in _images(model, settings)]

    def run() -> None:
        # Reading the result waits for its computation, also on a GPU.
        for output in tf.nest.flatten(function(*images)):
            output.numpy()

    return run


def _litert(model: Any, settings: LatencySettings) -> Callable[[], None]:
    """One pass of the converted model, its inputs in place."""
    try:
        content = litert_content(litert_converter(model, _traced(model, settings)))
        interpreter = litert_interpreter(content, settings.threads)
    except Exception as error:  # The converter raises what its C++ part met, of several types.
        raise ModelError(
            f"model '{model.name}' cannot be run by LiteRT: {one_line(error)}; set latency.runtime: keras"
        ) from error
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.ones(detail["shape"], dtype=detail["dtype"]))
    invoke: Callable[[], None] = interpreter.invoke
    return invoke


RUNTIMES: dict[Runtime, Callable[[Any, LatencySettings], Callable[[], None]]] = {"litert": _litert, "keras": _keras}


def _traced(model: Any, settings: LatencySettings) -> Any:
    """The model as a concrete function of one argument for each of its inputs."""
    import tensorflow as tf

    single = len(model.inputs) == 1
    signature = [tf.TensorSpec(image.shape, image.dtype) for image in _images(model, settings)]
    function = tf.function(lambda *images: model(images[0] if single else list(images), training=False))
    return function.get_concrete_function(*signature)


def _images(model: Any, settings: LatencySettings) -> list[Any]:
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if any(None in shape for shape in shapes):
        raise ModelError(
            f"model '{model.name}': expected inputs of a fixed size to measure latency, received {shapes};"
            " give a size, --input-size 224 or 224x160, or from Python compress.graph.at_size(model, (224, 160))"
        )
    generator = np.random.default_rng(0)
    return [
        generator.random((settings.batch, *shape)).astype(tensor.dtype)
        for shape, tensor in zip(shapes, model.inputs, strict=True)
    ]
