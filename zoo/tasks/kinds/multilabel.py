"""Images of any number of classes: one sigmoid unit, or logit, for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from compress.errors import ConfigError, DataError
from zoo.tasks.figures.running import JoinedFigures, KerasFigures, RunningFigures, WholeFigures
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import LOSS, Metric
from zoo.tasks.task import Answer, Array, Layout, Task, check_alike, check_shape

_PRECISION, _F1 = Metric("mAP", unit="%"), Metric("F1", unit="%")


@dataclass(frozen=True)
class Multilabel(Task):
    """Several labels an image: targets are zeros and ones (N, classes), outputs (N, classes).

    Attributes:
        threshold: the probability from which a label counts as given, for F1.
    """

    name: ClassVar[str] = "multilabel"
    words: ClassVar[str] = "any number of classes an image; mean average precision, F1"
    folder: ClassVar[Layout] = "table"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"task.options.threshold: expected a number in (0, 1), received {self.threshold!r}")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Average precision and F1, means over classes, and binary cross-entropy."""
        return _PRECISION, _F1, LOSS

    def targets(self, given: Array, what: str) -> Array:
        """Zeros and ones (N, classes), float32."""
        values = given.astype(np.float32) if given.dtype.kind in "biuf" else None
        if values is None or values.ndim != 2 or not np.isin(values, (0, 1)).all():
            raise DataError(
                f"expected labels of zeros and ones, a column for each class, (N, classes), in {what}, received "
                f"{given.dtype} of shape {given.shape}"
                + ("" if values is None or values.ndim != 2 else f" from {values.min():g} to {values.max():g}")
            )
        return values

    def check(self, parts: Mapping[str, Array], data: str, class_names: Sequence[str] | None = None) -> None:
        """Refuse splits of other classes than those of training, and a class that no image or every image has."""
        check_alike(parts, "labels", data)
        for part, targets in parts.items():
            same = np.flatnonzero(targets.min(axis=0) == targets.max(axis=0)).tolist()
            if same:
                raise DataError(
                    f"expected images with and without each class in the {part} split of data set {data!r}, received "
                    f"all or none with class {', '.join(map(str, same[:10]))}; add images, or drop the class"
                )

    def check_model(self, model: Any, targets: Array, data: str) -> None:
        """Refuse a model without a unit for each class."""
        check_shape(model, targets.shape[1:], data)

    def loss(self, model: Any) -> Any:
        """Binary cross-entropy of probabilities or logits, a mean over classes."""
        return self.training_loss(model, KerasClass("BinaryCrossentropy"))

    def training_loss(self, model: Any, choice: KerasClass | None = None, *, mixed: bool = False) -> Any:
        """The loss that was chosen; targets may be shares of classes, as they are."""
        from zoo.tasks.loss import gives_logits, plain_loss

        return plain_loss(choice or KerasClass("BinaryCrossentropy"), gives_logits(model, "sigmoid", self.name))

    def keras_metric(self, model: Any, *, mixed: bool = False) -> Any:
        """The area under the curve of precision and recall, which average precision sums up."""
        import keras

        from zoo.tasks.loss import gives_logits

        logits = gives_logits(model, "sigmoid", self.name)
        return keras.metrics.AUC(curve="PR", multi_label=True, from_logits=logits, name=_PRECISION.name)

    def running_figures(self) -> RunningFigures:
        """Average precision by scikit-learn, of all outputs at once, and F1 by Keras, means over classes."""
        import keras

        f1 = keras.metrics.F1Score(average="macro", threshold=self.threshold)
        return JoinedFigures(WholeFigures(_precision), KerasFigures({_F1.name: f1}))

    def activated(self, outputs: Array, from_logits: bool) -> Array:
        """Probabilities (N, classes), of logits in float64: in float32 all from 17 up would be 1, and rank alike."""
        from scipy.special import expit

        return np.asarray(expit(outputs.astype(np.float64))) if from_logits else outputs

    def shown_outputs(self, outputs: Array) -> list[Answer]:
        """The numbers of the classes that the image has."""
        return [", ".join(map(str, np.flatnonzero(row >= self.threshold).tolist())) or "none" for row in outputs]

    def made_up(self, *, right: bool) -> tuple[Array, Array]:
        """Two images of two classes."""
        targets = np.array([[0, 1], [1, 0]], np.float32)
        likely = np.array([[0.1, 0.8], [0.9, 0.2]], np.float32)
        return targets, likely if right else 1 - likely

    def soft(self, outputs: Any, from_logits: bool) -> Any:
        """Logits (N, classes)."""
        import keras

        epsilon = keras.config.epsilon()
        return outputs if from_logits else keras.ops.log(outputs + epsilon) - keras.ops.log(1 - outputs + epsilon)

    def soft_loss(self, student: Any, teacher: Any, temperature: float) -> Any:
        """Mean binary cross-entropy of softened outputs, times the square of the temperature."""
        import keras

        targets = keras.ops.sigmoid(teacher / temperature)
        each = keras.ops.binary_crossentropy(targets, student / temperature, from_logits=True)
        return temperature**2 * keras.ops.mean(each)


def _precision(targets: Array, outputs: Array) -> dict[str, float]:
    from sklearn.metrics import average_precision_score

    return {_PRECISION.name: float(average_precision_score(targets, outputs, average="macro"))}
