"""The choice of oneDNN's kernels for a command that trains on a CPU, made before TensorFlow is loaded."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from compress.model_files.stored_config import stored_config
from configs.schema.training import TrainingConfig
from search.environment import ONEDNN
from search.workers.onednn import ON, is_chosen, untrusted

_UNTRUSTED_AUGMENTATION = "randomperspective"
"""An augmentation whose products of matrices of rank 3 and more oneDNN may get wrong."""


def choose_kernels(log: Callable[[str], None], training: TrainingConfig, model: Path | None = None) -> None:
    """Turn oneDNN on where it computes a whole training correctly, unless the user has chosen.

    Args:
        log: called with a line on the choice and its reason.
        training: the section of the configuration.
        model: file of the model; None for a model of the zoo, which oneDNN computes correctly.
    """
    if not _is_open() or (model is not None and not model.exists()):  # Loading will say what the path lacks.
        return
    reason = _reason_against(training, model)
    if reason is None:
        use_onednn()
        log("on a CPU: with oneDNN")
    else:
        log(f"on a CPU: without the faster kernels of oneDNN, because of {reason}; {ONEDNN}=1 turns it on")


def use_onednn() -> None:
    """Turn oneDNN on, unless the user has chosen."""
    if _is_open():
        os.environ[ONEDNN] = ON


def _is_open() -> bool:
    """Whether oneDNN can still be chosen: the user has not, and TensorFlow is not loaded."""
    return not is_chosen() and "tensorflow" not in sys.modules


def _reason_against(training: TrainingConfig, model: Path | None) -> str | None:
    layers = () if training.augment is None else training.augment.layers
    for layer in layers:
        if layer.name.replace("_", "").lower() == _UNTRUSTED_AUGMENTATION:
            return f"the augmentation {layer.name}, whose products of matrices it may get wrong"
    if model is None:
        return None
    stored = stored_config(model)
    if stored is None:
        return f"'{model}', whose layers cannot be told before TensorFlow is loaded; a .keras file's can"
    wrong = untrusted(stored)
    return None if wrong is None else f"the layer {wrong}, which it was not checked with"
