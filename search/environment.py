"""Environment variables for TensorFlow, Ray and MLflow, and importing TensorFlow without its messages."""

import gc
import os
import sys
import tempfile
import warnings

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""The environment variable that turns TensorFlow's oneDNN kernels on or off, read when TensorFlow is loaded."""


def prepare_environment() -> None:
    """Set default environment variables of the libraries, which workers inherit; variables that are set stay.

    TensorFlow's oneDNN kernels are off. Two of them write beyond their memory in TensorFlow 2.21: the gradient of
    strided 1x1 kernels of few input channels, which pruned networks have (uxlfoundation/oneDNN#6035), and products of
    matrices of rank 3 and more (tensorflow/tensorflow#117700). Workers, and the commands that train, turn them on for
    models whose layers they compute right (``search.workers.onednn``). Without them a CPU may be half as fast;
    a GPU loses nothing.
    """
    defaults = {
        ONEDNN: "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Driver and workers may share a GPU, so none may reserve all of its memory.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
        # A server that does not answer delays the search by less than a minute instead of ten.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # Ray's future default: workers without a GPU keep the CUDA_VISIBLE_DEVICES that they inherit.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Loading TensorFlow creates hundreds of thousands of objects, none of them garbage: collecting took a fifth of it.
    gc.set_threshold(10_000)


def import_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow without the messages of its C++ part, which are shown only if the import fails.

    threads: for one operation, with one operation at a time, as in workers; None for TensorFlow's own choice.
    """
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            import tensorflow as tf

            if threads is not None:
                use_threads(threads)
            # With the first operation TensorFlow looks for devices, and writes messages on them.
            tf.constant(0.0)
        except BaseException:
            output.seek(0)
            os.write(terminal, output.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def use_threads(threads: int) -> None:
    """Let TensorFlow use ``threads`` threads for one operation at a time; call it before the first operation."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
