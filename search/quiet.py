"""Keeps the libraries' start-up chatter off the terminal, so that what tuckprune prints is what matters."""

import os
import sys
import tempfile
import warnings


def quiet_environment() -> None:
    """Set the variables that silence TensorFlow and Ray here and in local workers; a user's own values win."""
    # The last is Ray's future default: workers without a GPU keep the CUDA_VISIBLE_DEVICES that they inherit.
    defaults = {"TF_CPP_MIN_LOG_LEVEL": "3", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def import_tensorflow() -> None:
    """Import TensorFlow without what its C++ part writes to the terminal before its log level counts.

    If the import fails, what it wrote is shown.
    """
    quiet_environment()
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as swallowed:
        os.dup2(swallowed.fileno(), 2)
        try:
            import tensorflow as tf

            # The first operation makes TensorFlow look for devices, which it also tells.
            tf.constant(0.0)
        except BaseException:
            swallowed.seek(0)
            os.write(terminal, swallowed.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
