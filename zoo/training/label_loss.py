"""Any loss of Keras for the labels of images: class numbers, or shares of classes where images are mixed."""

import inspect
from typing import Any

import keras

from compress.errors import ConfigError
from zoo.training.keras_class import KerasClass, class_name, subclasses
from zoo.training.loss import loss_for

CROSS_ENTROPY = KerasClass("CategoricalCrossentropy")


class LabelLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of Keras that compares rows of classes, for labels of either form.

    Args:
        rows: the loss of labels and outputs, (N, classes) each.
        from_logits: whether outputs are logits.
    """

    def __init__(self, rows: keras.losses.Loss, from_logits: bool) -> None:
        super().__init__(name=rows.name)
        self._rows, self.from_logits = rows, from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses (N,) of labels (N,) or (N, classes) and outputs (N, classes)."""
        labels = y_true
        if len(labels.shape) == 1:
            labels = keras.ops.one_hot(keras.ops.cast(labels, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)
        return self._rows.call(labels, y_pred)


def training_loss(model: keras.Model, choice: KerasClass | None = None, *, mixed: bool = False) -> Any:
    """What the training of a classifier minimizes.

    Args:
        model: one output (N, classes), probabilities or logits.
        choice: a class of `keras.losses`; None for cross-entropy.
        mixed: whether labels may be shares of classes, (N, classes).

    Returns:
        A loss with an attribute ``from_logits``.

    Raises:
        ModelError: an output that is no classifier's.
        ConfigError: a class that there is not, options that it refuses, or one that takes class numbers where labels
            are mixed.
    """
    plain = loss_for(model)
    if choice is None and not mixed:
        return plain
    chosen, classes = choice or CROSS_ENTROPY, loss_classes()
    name = class_name(chosen.name, classes, "loss")
    takes_logits = "from_logits" in inspect.signature(classes[name].__init__).parameters
    given = {"from_logits": plain.from_logits} if takes_logits else {}
    made = chosen.make(classes, "loss", **given)
    if not takes_logits and plain.from_logits:
        raise ConfigError(
            f"loss: expected a loss that takes logits, as {model.name!r} gives, received {name}; end the model in a "
            "softmax, or choose one of the cross-entropies"
        )
    if not name.startswith("Sparse"):
        return LabelLoss(made, plain.from_logits)
    if mixed:
        raise ConfigError(
            f"loss: expected one that takes shares of classes, which MixUp and CutMix make, received {name}; choose "
            f"{name.removeprefix('Sparse')}"
        )
    made.from_logits = plain.from_logits
    return made


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
