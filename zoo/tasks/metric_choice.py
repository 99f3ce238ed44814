"""A metric by its name and options, tried on made-up outputs before anything is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from compress.errors import ConfigError, typed_line
from zoo.tasks.keras_class import known_as, plain_name
from zoo.tasks.metric import Direction, LabelForm, Metric, metric_classes
from zoo.tasks.task import Array, Task

_INDEX_CLASSES = ("IoU", "MeanIoU")
"""Classes that take class numbers though no ``Sparse`` in their name says so."""


def choose_metric(
    name: str | None,
    task: Task,
    *,
    options: Mapping[str, Any] | None = None,
    labels: LabelForm | None = None,
    direction: Direction | None = None,
    one_unit: bool = False,
) -> Metric:
    """The metric of this name for a task.

    name: of one of the task's own metrics, or a class of `keras.metrics` (``F1Score`` or ``f1_score``); None for the
        task's first.
    labels: by default what the class takes.
    direction: by default the one in which outputs that are right beat outputs that are wrong.
    one_unit: whether the model tells two classes by a single unit.

    Raises:
        ConfigError: an unknown name, options that the class refuses, outputs that it cannot take, a value that is no
            single number, a direction that is unknown or that prefers wrong outputs, or one of these for a metric of
            the task's own.
    """
    own = {plain_name(metric.name): metric for metric in task.metrics}
    known = task.metrics[0] if name is None else own.get(plain_name(name))
    if known is not None:
        if options or labels is not None or direction is not None:
            raise ConfigError(
                f"search.metric: expected no options, labels or direction for {known.name}, which needs none; "
                "remove them"
            )
        return known
    return _of_keras(str(name), task, dict(options or {}), labels, direction, one_unit=one_unit)


def _of_keras(
    name: str,
    task: Task,
    options: dict[str, Any],
    labels: LabelForm | None,
    direction: Direction | None,
    *,
    one_unit: bool,
) -> Metric:
    class_name = _class_name(name, task)
    if options.get("from_logits"):
        raise ConfigError(
            "search.metric.options.from_logits: expected false, received true: metrics get probabilities, also of "
            "models that end in logits; leave it out"
        )
    form = labels or ("index" if class_name.startswith("Sparse") or class_name in _INDEX_CLASSES else "one_hot")
    metric = Metric(class_name, direction or "maximize", form, options)
    right, wrong = (_tried(metric, *_made_up(metric, task, right, one_unit)) for right in (True, False))
    return Metric(class_name, _direction(class_name, right, wrong, direction), form, options)


def _made_up(metric: Metric, task: Task, right: bool, one_unit: bool) -> tuple[Array, Array]:
    return task.compared(metric, *task.made_up(right=right), one_unit=one_unit)


def _class_name(name: str, task: Task) -> str:
    """The class that a name means, in capitals or with underscores."""
    own = [metric.name for metric in task.metrics]
    # Keras's Accuracy compares labels with outputs for equality: the same for all outputs that are no labels.
    names = [*(known for known in metric_classes() if known != "Accuracy"), *own]
    known, hint = known_as(name, names, ", such as F1Score, AUC or SparseTopKCategoricalAccuracy")
    if known is None:
        raise ConfigError(
            f"search.metric: expected {', '.join(own)}, or a metric of keras.metrics, received {name!r}{hint}"
        )
    return known


def _tried(metric: Metric, targets: Array, outputs: Array) -> float:
    try:
        value = class_value(metric, targets, outputs)
    except Exception as error:  # Keras and TensorFlow raise errors of many types for options and shapes.
        raise ConfigError(
            f"search.metric: expected {metric.name} with options {metric.options} to take {metric.labels} labels and "
            f"outputs of shape {('N', *outputs.shape[1:])}, received {typed_line(error)}; "
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


def class_value(metric: Metric, targets: Array, outputs: Array) -> Array:
    """What a class of `keras.metrics` makes of them: of a metric that can be ranked by, a single number."""
    import keras

    made = metric_classes()[metric.name](**metric.options)
    made.update_state(targets, outputs)
    return np.asarray(keras.ops.convert_to_numpy(made.result()))
