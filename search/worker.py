"""The Ray actor that judges candidates: it holds the model and the data once and never sees the study."""

import gc
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.errors import TuckpruneError
from compress.kernel_bases import BasesCache
from compress.parameters import CompressionParameters
from compress.recipe import Stage
from objectives.accuracy import AccuracyProxy, ProxyResult, ProxySettings
from search.trial_record import Judgement
from zoo.data.dataset import ImageDataset


@dataclass(frozen=True)
class Task:
    """What every worker of a run needs once.

    Attributes:
        model: the original model as ``model_bytes`` packs it.
        dataset: images and labels.
        proxy: how accuracy is judged.
        recipe: order of the stages.
        multiple: kept channels are rounded up to a multiple of it.
        threads: TensorFlow threads per worker.
    """

    model: bytes
    dataset: ImageDataset
    proxy: ProxySettings
    recipe: tuple[Stage, ...]
    multiple: int
    threads: int


class TrialWorker:
    """Judges one candidate at a time in a process of its own."""

    def __init__(self, task: Task) -> None:
        # TensorFlow reads these only before its first operation; more threads than cores slow every worker down.
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(task.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        self._task = task
        self._original = _model_of(task.model)
        self._cache = BasesCache()
        self._proxy = AccuracyProxy(task.dataset, task.proxy)

    def judge(self, parameters: CompressionParameters) -> Judgement:
        """Compress, repair and score one candidate; an error is part of the answer, not raised."""
        started = time.perf_counter()
        try:
            result = self._result(parameters)
        except TuckpruneError as error:
            return Judgement.failed(time.perf_counter() - started, str(error))
        except Exception as error:  # Whatever one candidate breaks must not end the run; the study keeps the reason.
            text = " ".join(str(error).split())
            return Judgement.failed(time.perf_counter() - started, f"{type(error).__name__}: {text[:500]}")
        finally:
            gc.collect()
        return Judgement(result.accuracy, result.loss, time.perf_counter() - started)

    def _result(self, parameters: CompressionParameters) -> ProxyResult:
        from compress.recipe import apply_parameters

        task = self._task
        model = apply_parameters(self._original, parameters, task.recipe, multiple=task.multiple, cache=self._cache)
        return self._proxy(model)


def model_bytes(model: Any) -> bytes:
    """The model as a ``.keras`` file, whatever file it came from; without the state of its optimizer."""
    from compress.model_file import save_model

    with tempfile.TemporaryDirectory() as folder:
        return save_model(model, Path(folder) / "model.keras").read_bytes()


def _model_of(content: bytes) -> Any:
    from compress.model_file import load_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        return load_model(path)
