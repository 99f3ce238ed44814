"""A metric by its name and options, tried on made-up outputs before anything is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from compress.errors import ConfigError, typed_line
from objectives.accuracy.metric import ACCURACY, LOSS, Direction, LabelForm, Metric, metric_classes
from zoo.training.keras_class import known_as, plain_name

_IMAGES = 1000
"""Made-up images: one of each class, of no more classes than this."""

_INDEX_CLASSES = ("IoU", "MeanIoU")
"""Classes that take class numbers though no ``Sparse`` in their name says so."""


def choose_metric(
    name: str,
    classes: int,
    *,
    options: Mapping[str, Any] | None = None,
    labels: LabelForm | None = None,
    direction: Direction | None = None,
) -> Metric:
    """The metric of this name for a model of so many classes.

    name: ``accuracy``, ``loss``, or a class of `keras.metrics` (``F1Score`` or ``f1_score``).
    labels: by default what the class takes.
    direction: by default the one in which outputs that are right beat outputs that are wrong.

    Raises:
        ConfigError: an unknown name, options that the class refuses, outputs that it cannot take, a value that is no
            single number, or a direction that is unknown or that prefers wrong outputs.
    """
    if plain_name(name) in (ACCURACY.name, LOSS.name):
        # Keras's own class Accuracy compares labels with outputs for equality; whoever asks for it means top-1.
        return ACCURACY if plain_name(name) == ACCURACY.name else LOSS
    class_name = _class_name(name)
    chosen = dict(options or {})
    if chosen.get("from_logits"):
        raise ConfigError(
            "search.metric.options.from_logits: expected false, received true: metrics get probabilities, also of "
            "models that end in logits; leave it out"
        )
    form = labels or ("index" if class_name.startswith("Sparse") or class_name in _INDEX_CLASSES else "one_hot")
    metric = Metric(class_name, direction or "maximize", form, chosen)
    right, wrong = _tried(metric, *made_up(classes, right=True)), _tried(metric, *made_up(classes, right=False))
    return Metric(class_name, _direction(class_name, right, wrong, direction), form, chosen)


def _class_name(name: str) -> str:
    """The class that a name means, in capitals or with underscores."""
    names = [*metric_classes(), ACCURACY.name, LOSS.name]
    known, hint = known_as(name, names, ", such as F1Score, AUC or SparseTopKCategoricalAccuracy")
    if known is None:
        raise ConfigError(
            f"search.metric: expected accuracy, loss, or a metric of keras.metrics, received {name!r}{hint}"
        )
    return known


def made_up(classes: int, *, right: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Labels and probabilities of classifiers that are always right and always wrong.

    One class has 0.8, no two of an image are equal; the class of the label comes first where the outputs are right,
    and last where they are wrong.
    """
    labels = np.arange(min(classes, _IMAGES))
    place = (np.arange(classes)[None] - labels[:, None]) % classes
    place = place if right else classes - 1 - place
    weights = np.where(place == 0, 0.0, classes - place)
    rest = 0.2 * weights / weights.sum(axis=1, keepdims=True)
    return labels.astype(np.int64), np.where(place == 0, 0.8, rest).astype(np.float32)


def _tried(metric: Metric, labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]) -> float:
    try:
        value = metric.result(labels, probabilities)
    except Exception as error:  # Keras and TensorFlow raise errors of many types for options and shapes.
        raise ConfigError(
            f"search.metric: expected {metric.name} with options {metric.options} to take {metric.labels} labels and "
            f"outputs of shape {('N', probabilities.shape[1])}, received {typed_line(error)}; "
            "change search.metric.options or search.metric.labels"
        ) from error
    if value.shape != () or not np.isfinite(value):
        raise ConfigError(
            f"search.metric: expected a single finite number from {metric.name} with options {metric.options}, "
            f"received {value.tolist() if value.size < 5 else f'an array of shape {value.shape}'}; "
            "give search.metric.options that make it one, such as average: macro"
        )
    return float(value)


def _direction(name: str, right: float, wrong: float, given: Direction | None) -> Direction:
    if right == wrong:
        if given is None:
            raise ConfigError(
                f"search.metric.direction: expected maximize or minimize for {name}, which is {right:g} for outputs "
                "that are right and for outputs that are wrong alike; give it, or change search.metric.options"
            )
        return given
    better: Direction = "maximize" if right > wrong else "minimize"
    if given not in (None, better):
        raise ConfigError(
            f"search.metric.direction: expected {better} for {name}, which is {right:g} for outputs that are right and "
            f"{wrong:g} for wrong ones, received {given}; leave it out"
        )
    return better
