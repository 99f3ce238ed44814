"""Losses of Keras by name and options, and what a model's outputs end in."""

import inspect
import math
from typing import Any

import keras
import numpy as np

from compress.errors import ConfigError, ModelError, typed_line
from zoo.tasks.keras_class import KerasClass, class_name, subclasses

_OF_NUMBERS = ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy")
"""Losses that take class numbers; all others take rows of classes."""


def output_activation(model: keras.Model) -> str:
    """Name of the function that a model's one output ends in, or the class of a layer that has none to speak of.

    Raises:
        ModelError: several outputs.
    """
    if len(model.outputs) != 1:
        raise ModelError(f"expected a model with one output, received {len(model.outputs)} from {model.name!r}")
    return _last_activation(model.outputs[0]._keras_history.operation)


def _last_activation(operation: Any) -> str:
    if isinstance(operation, keras.Model) and operation.outputs:
        return _last_activation(operation.outputs[0]._keras_history.operation)
    kind = type(operation).__name__
    if kind in _FUNCTIONS:
        return kind.lower()
    activation = getattr(operation, "activation", kind)
    if kind.startswith("GlobalAveragePooling") or (activation is keras.activations.linear and kind == "Activation"):
        return _before(operation) or "linear"
    if kind in _PASSED and getattr(operation, "interpolation", "nearest") in ("nearest", "bilinear"):
        ends = set(map(_last_activation, _read(operation)))
        return ends.pop() if len(ends) == 1 else kind  # A mean of probabilities and logits is neither.
    return str(getattr(activation, "__name__", activation))


_FUNCTIONS = ("Softmax", "Sigmoid")
"""Layers and operations that are activations themselves."""

_PASSED = (
    *("Flatten", "Reshape", "Squeeze", "ExpandDims", "Cast", "Identity", "Dropout", "Cropping2D"),
    *("Average", "Mean", "UpSampling2D", "Resizing", "Resize"),
)
"""Layers and operations whose outputs are some of their inputs, or means of them: of probabilities probabilities."""


def _read(operation: Any) -> list[Any]:
    """What makes the tensors that an operation reads."""
    return [tensor._keras_history.operation for tensor in operation._inbound_nodes[-1].input_tensors]


def _before(operation: Any) -> str | None:
    """The softmax or sigmoid that a layer reads whose outputs are probabilities where its inputs are.

    Such a layer is a mean over positions, or changes nothing, as one that ends mixed precision.
    """
    before = _read(operation)[0]
    if isinstance(before, keras.layers.InputLayer):
        return None
    activation = _last_activation(before)
    return activation if activation in ("softmax", "sigmoid") else None


def gives_logits(model: keras.Model, probabilities: str, task: str) -> bool:
    """Whether a model gives logits, and not what one of these activations makes of them.

    probabilities: the activation that makes them, by its name in Keras.

    Raises:
        ModelError: it ends in another activation.
    """
    last = output_activation(model)
    if last not in (probabilities, "linear"):
        raise ModelError(
            f"expected {probabilities} or logits (no activation) at the output of {model.name!r} for {task}, received "
            f"{last}; end the model in a Dense, Conv2D, Activation or {probabilities.capitalize()} layer"
        )
    return last == "linear"


class LabelLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of Keras that compares rows of classes, for class numbers as well.

    Args:
        rows: the loss of targets and outputs, (..., classes) each, or (N, 1) for a single unit.
        from_logits: whether outputs are logits.
    """

    def __init__(self, rows: keras.losses.Loss, from_logits: bool) -> None:
        super().__init__(name=rows.name)
        self.rows, self.from_logits = rows, from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses (...) of class numbers (...) or shares of classes (..., classes), and outputs (..., classes)."""
        labels = y_true
        if len(labels.shape) < len(y_pred.shape):
            labels = _rows(labels, y_pred)
        return self.rows.call(labels, y_pred)


def _rows(labels: Any, outputs: Any) -> Any:
    if outputs.shape[-1] == 1:
        return keras.ops.cast(keras.ops.expand_dims(labels, -1), outputs.dtype)
    return keras.ops.one_hot(keras.ops.cast(labels, "int32"), outputs.shape[-1], dtype=outputs.dtype)


def plain_loss(choice: KerasClass, from_logits: bool = False, **given: Any) -> Any:
    """A loss of Keras for targets of the outputs' own shape, with an attribute ``from_logits``.

    given: arguments that the task decides, for losses that have them.

    Raises:
        ConfigError: a class that there is not, options that it refuses, or no logits taken where there are some.
    """
    classes = loss_classes()
    name = class_name(choice.name, classes, "loss")
    known = inspect.signature(classes[name].__init__).parameters
    if from_logits and "from_logits" not in known:
        raise ConfigError(
            f"loss: expected a loss that takes logits, as the model gives, received {name}; end the model in a "
            "softmax or sigmoid, or choose one of the cross-entropies"
        )
    arguments = {key: value for key, value in {"from_logits": from_logits, **given}.items() if key in known}
    made = choice.make(classes, "loss", **arguments)
    made.from_logits = from_logits
    return made


def label_loss(choice: KerasClass, from_logits: bool, *, mixed: bool = False, **given: Any) -> Any:
    """A loss of Keras for class numbers.

    mixed: whether targets may be shares of classes instead; given: see `plain_loss`.

    Raises:
        ConfigError: see `plain_loss`, or one that takes class numbers where labels are mixed.
    """
    made, name = plain_loss(choice, from_logits, **given), class_name(choice.name, loss_classes(), "loss")
    if name not in _OF_NUMBERS:
        return LabelLoss(made, from_logits)
    if mixed:
        raise ConfigError(
            f"loss: expected one that takes shares of classes, which MixUp and CutMix make, received {name}, which "
            "takes class numbers; choose CategoricalCrossentropy"
        )
    return made


def check_prefers(loss: Any, right: tuple[Any, Any], wrong: tuple[Any, Any]) -> None:
    """Try a loss on targets with outputs that are right, and with outputs that are wrong.

    Raises:
        ConfigError: it does not take them, gives no finite number, or is no lower for those that are right.
    """
    better, worse = value_on(loss, *right), value_on(loss, *wrong)
    if not better < worse:
        raise ConfigError(
            f"loss: expected one that is lower for outputs that are right, received {loss.name}, which is {better:.4g} "
            f"for right and {worse:.4g} for wrong ones; choose another, or the task's own: loss: null"
        )


def value_on(loss: Any, targets: Any, outputs: Any) -> float:
    """What a loss makes of some targets and outputs.

    Raises:
        ConfigError: it does not take them, or gives no finite number.
    """
    try:
        value = float(loss(targets, outputs))
    except Exception as error:  # Keras and TensorFlow raise errors of many types for shapes.
        value = math.nan
        received = typed_line(error)
    else:
        received = str(value)
    if not math.isfinite(value):
        shape = ", ".join(["N", *map(str, np.shape(outputs)[1:])])
        raise ConfigError(
            f"loss: expected one that takes outputs ({shape}) and their targets, received {received} from "
            f"{loss.name}; choose another, or the task's own: loss: null"
        )
    return value


def loss_classes() -> dict[str, Any]:
    """The losses of Keras, by the names of their classes."""
    return subclasses(keras.losses, keras.losses.Loss)


def accuracy(labels: Any, outputs: Any) -> Any:
    """Top-1 (N,) of labels (N,) or (N, classes), the largest share then, and outputs (N, classes)."""
    rows = len(labels.shape) > 1 and labels.shape[-1] != 1
    numbers = keras.ops.argmax(labels, axis=-1) if rows else keras.ops.reshape(labels, (-1,))
    right = keras.ops.equal(
        keras.ops.cast(numbers, "int32"), keras.ops.cast(keras.ops.argmax(outputs, axis=-1), "int32")
    )
    return keras.ops.cast(right, "float32")
