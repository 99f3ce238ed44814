"""The losses that a model was compiled with, for each output, and the distillation loss that suits each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from objectives.fitting.fitted import SoftOutput
from zoo.tasks.keras_class import plain_name
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.multilabel import Multilabel
from zoo.tasks.kinds.regression import Regression
from zoo.tasks.loss import output_activation
from zoo.tasks.task import Task

_SEQUENCES = ("ctc",)
"""Losses of Keras whose targets do not have the shape of the outputs."""


@dataclass(frozen=True)
class OutputLoss:
    """The loss of one output.

    Attributes:
        loss: an object or a function of `keras.losses`, one of the user's own, a name, or None for an output that
            training does not look at.
        weight: by which it is multiplied.
    """

    loss: Any
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Name of the loss in small letters, without underscores."""
        kind = self.loss if isinstance(self.loss, str) else getattr(self.loss, "__name__", type(self.loss).__name__)
        return plain_name(kind)

    @property
    def is_of_keras(self) -> bool:
        """Whether it is one of Keras's losses that compare each value, or each class, with a target."""
        if self.loss is None:
            return False
        kind = self.loss if hasattr(self.loss, "__name__") else type(self.loss)
        return self.name not in _SEQUENCES and (isinstance(self.loss, str) or kind.__module__.startswith("keras."))

    def soft(self, view: Any) -> SoftOutput:
        """The distillation loss of the output: of softened classes where it has classes, else of its values.

        view: a model with this output alone.
        """
        weight = 0.0 if self.loss is None else self.weight
        return SoftOutput(self._compared(view), bool(getattr(self.loss, "from_logits", False)), weight)

    def _compared(self, view: Any) -> Task:
        if self.is_of_keras and self.name.startswith("binary"):
            return Multilabel()
        classes = self.name.endswith("crossentropy") or self.name == "ce"
        if (classes and self.is_of_keras) or (not self.is_of_keras and output_activation(view) == "softmax"):
            return Classification()
        return Regression()


def output_losses(loss: Any, weights: Any, names: Sequence[str]) -> list[OutputLoss]:
    """The loss of each output, from the arguments of ``compile``: one for all, or one for each by name or in order."""
    return [
        OutputLoss(one, 1.0 if weight is None else float(weight))
        for one, weight in zip(_each(loss, names), _each(weights, names), strict=True)
    ]


def _each(given: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(given, Mapping):
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple) and len(given) == len(names):
        return list(given)
    return [given] * len(names)
