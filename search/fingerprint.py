"""Ties a study to the model it was made for."""

import hashlib
from typing import Any

import numpy as np
import optuna

from compress.errors import RunError

_MODEL = "model"


def model_digest(model: Any) -> str:
    """SHA-256 of a model's architecture and weights: equal for equal models, whatever file they came from."""
    digest = hashlib.sha256(model.to_json().encode())
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def known_digest(study: optuna.Study) -> str | None:
    """The digest of the model that a study was made for; None for a study that has none."""
    digest = study.user_attrs.get(_MODEL)
    return None if digest is None else str(digest)


def tie_to_model(study: optuna.Study, model: Any) -> None:
    """Remember the model in a new study; refuse another one in a study that has trials of its own.

    Raises:
        RunError: the model is not the one that the study was started with.
    """
    check_same_model(study, model)
    if _MODEL not in study.user_attrs:
        study.set_user_attr(_MODEL, model_digest(model))


def check_same_model(study: optuna.Study, model: Any) -> None:
    """Refuse another model than the one that a study was started with.

    Raises:
        RunError: names both.
    """
    known, digest = known_digest(study), model_digest(model)
    if known is not None and known != digest:
        raise RunError(
            f"the study '{study.study_name}' was started with another model (SHA-256 {known[:12]}, received "
            f"{digest[:12]}); restore that model, or give this run another name:"
        )
