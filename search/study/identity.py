"""Names of a run's studies, and digests of the model and the data by which a study refuses others."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import optuna

from compress.errors import RunError
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from objectives.cost.cost import Cost
from zoo.data.dataset import Data
from zoo.data.digest import digest_of_searched, is_in_files
from zoo.tasks.by_value import code_digest
from zoo.tasks.own_task import OwnTask

_MODEL, _DATA, _CODE, _IMAGE_SIZE, _ORIGINAL = "model", "data", "code", "image size", "original"


def model_digest(model: Any) -> str:
    """SHA-256 of a model's architecture and weights, independent of the file that it was loaded from."""
    digest = hashlib.sha256(model.to_json().encode())
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def known_digest(study: optuna.Study) -> str | None:
    """The digest of the model that a study was started with; None for a study that has none."""
    digest = study.user_attrs.get(_MODEL)
    return None if digest is None else str(digest)


@dataclass(frozen=True)
class Origin:
    """The original model and the data that something was made of.

    Attributes:
        model: digest of the model; None if unknown.
        data: digests of the training and validation data, by their form: in files, or as pixels in memory.
    """

    model: str | None
    data: Mapping[str, str]

    @classmethod
    def of_study(cls, study: optuna.Study) -> Self:
        """What a study is tied to."""
        return cls(known_digest(study), dict(study.user_attrs.get(_DATA, {})))

    @classmethod
    def of(cls, model: Any, data: Data) -> Self:
        """Of a model and data in memory; data of a task of the user's own may have no digest."""
        form, digest = _form_and_digest(data)
        return cls(model_digest(model), {} if digest is None else {form: digest})

    def agrees(self, other: "Origin") -> bool:
        """Whether both are known to be of one model and of the same data."""
        forms = self.data.keys() & other.data.keys()
        same = bool(forms) and all(self.data[form] == other.data[form] for form in forms)
        return self.model is not None and self.model == other.model and same


def tie_to_model(study: optuna.Study, model: Any) -> None:
    """Store the digest of the model in a new study; refuse another model in one that has a digest.

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


def tie_to_data(study: optuna.Study, data: Data) -> None:
    """Store the digest of the training and validation data in a study; refuse other data from then on.

    Images in files and the same images in memory have two digests, because a run may change from one to the other. Data
    of a task of the user's own have none.

    Raises:
        RunError: the data are not those that the study was started with.
    """
    form, digest = _form_and_digest(data)
    if digest is None:
        return
    known: dict[str, str] = dict(study.user_attrs.get(_DATA, {}))
    if known.setdefault(form, digest) != digest:
        raise RunError(
            f"the study '{study.study_name}' was started with other training or validation data (SHA-256 "
            f"{known[form][:12]}, received {digest[:12]} from {data.name!r}); restore those data, or give this run "
            "another name:"
        )
    if known != study.user_attrs.get(_DATA):
        study.set_user_attr(_DATA, known)


def warn_of_changed_code(study: optuna.Study, module: str | None, warn: Callable[[str], None]) -> None:
    """Warn where the module of the user's own classes is another one than at the study's last start.

    What it says may be as before, so that nothing is refused.

    Args:
        study: keeps the digest of the module's file.
        module: its dotted name, imported already; None without one.
        warn: called with the line.
    """
    if module is None:
        return
    digest, known = code_digest(sys.modules[module]), study.user_attrs.get(_CODE)
    if digest == known:
        return
    if known is not None:
        warn(
            f"module '{module}' has changed since this search was last started: if its classes compute something else "
            "now, earlier trials were of another model; then give this run another name:"
        )
    study.set_user_attr(_CODE, digest)


def _form_and_digest(data: Data) -> tuple[str, str | None]:
    if isinstance(data, OwnTask):
        return "arrays", data.digest
    return "files" if is_in_files(data) else "pixels", digest_of_searched(data)


def keep_image_size(study: optuna.Study, size: tuple[int, ...] | None) -> None:
    """Store the image size at which cost is counted, of a model that takes images of any size; None for others."""
    if size is not None and known_image_size(study) != tuple(size):
        study.set_user_attr(_IMAGE_SIZE, list(size))


def known_image_size(study: optuna.Study) -> tuple[int, ...] | None:
    """The image size at which the cost of a study's trials is counted; None for a model of a fixed size."""
    size = study.user_attrs.get(_IMAGE_SIZE)
    return None if size is None else tuple(size)


def keep_original(study: optuna.Study, cost: Cost) -> None:
    """Store the cost of the original model, so that commands that list trials need not load the model."""
    if known_original(study) != cost:
        study.set_user_attr(_ORIGINAL, cost.stored())


def known_original(study: optuna.Study) -> Cost | None:
    """The stored cost of the original model; None where the study has none."""
    figures = study.user_attrs.get(_ORIGINAL)
    return None if figures is None else Cost.restored(figures)


def first_study(config: RunConfig) -> str:
    """Name of the study of a run's first stage."""
    return f"{config.name}: {config.recipe[0]}"


def study_name(config: RunConfig, stage: str | None) -> str:
    """Name of the study in which a stage was searched.

    Args:
        config: of the run.
        stage: of a staged search; None for the second stage, or for a search that is not staged.

    Raises:
        RunError: the stage was not searched on its own.
    """
    if stage is None:
        return config.name
    known = config.recipe if config.search.strategy == STAGED else ()
    if stage not in known:
        raise RunError(
            f"stage: expected {' or '.join(known) or 'none of a search that is not staged'}, received {stage}"
        )
    return first_study(config) if stage == known[0] else config.name
