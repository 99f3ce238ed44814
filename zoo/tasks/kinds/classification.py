"""Images of one class each: a softmax or logits of all classes, or one sigmoid unit for two."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from compress.errors import ConfigError, DataError
from zoo.tasks.figures.running import MeanFigures, RunningFigures
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.labels import class_numbers, rows_compared
from zoo.tasks.metric import ACCURACY, LOSS, Metric
from zoo.tasks.task import Answer, Array, Layout, Task, single_output

_NAMED = 10
_MADE_UP = 1000
"""Made-up images: one of each class, of no more classes than this."""


@dataclass(frozen=True)
class Classification(Task):
    """Single-label classification: targets are class numbers (N,), outputs (N, classes), or (N, 1) of two classes.

    Attributes:
        classes: how many there are; None for as many as the targets have.
    """

    name: ClassVar[str] = "classification"
    words: ClassVar[str] = "one class an image; accuracy"
    folder: ClassVar[Layout] = "classes"
    classes: int | None = None

    def __post_init__(self) -> None:
        if self.classes is not None and self.classes < 2:
            raise ConfigError(f"task.options.classes: expected at least 2, received {self.classes}")

    @property
    def count(self) -> int:
        """How many classes there are, once the data are known.

        Raises:
            ConfigError: they are not.
        """
        if self.classes is None:
            raise ConfigError("task.options.classes: expected a number of classes, received none; give it")
        return self.classes

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Top-1 accuracy, and cross-entropy in nats."""
        return ACCURACY, LOSS

    @property
    def label(self) -> str:
        """How many classes."""
        return f"{self.classes} classes"

    def targets(self, given: Array, what: str) -> Array:
        """Class numbers (N,), int64, of integers (N,) or (N, 1).

        Raises:
            DataError: labels of another kind, which it names.
        """
        return class_numbers(given, what)

    def fitted(self, train: Array, *others: Array) -> Self:
        """With as many classes as the largest number says.

        Raises:
            DataError: a number from that of the training images up: some class before it has none.
        """
        if self.classes is not None:
            return self
        largest = max(int(part.max()) for part in (train, *others))
        if largest < 1:
            raise DataError("expected labels of at least 2 classes, received one; add images of another class")
        if largest >= len(train):
            raise DataError(
                f"expected labels below {len(train)}, the number of training images, for every class needs one; "
                f"received {largest}; number the classes from 0 without gaps"
            )
        return replace(self, classes=largest + 1)

    def check_values(self, targets: Array, part: str, data: str) -> None:
        """Refuse numbers that are none of a class."""
        check_numbers(targets, self.count, part, data)

    def check(self, parts: Mapping[str, Array], data: str, class_names: Sequence[str] | None = None) -> None:
        """Refuse a class without images in a split.

        Raises:
            DataError: names the split and the classes.
        """
        if self.count > len(parts["training"]):
            raise DataError(
                f"expected at most {len(parts['training'])} classes in data set {data!r}, one for each training "
                f"image, received {self.count}; number the classes from 0 without gaps"
            )
        for part, targets in parts.items():
            missing = np.flatnonzero(np.bincount(targets, minlength=self.count) == 0).tolist()
            if missing:
                names = [repr(class_names[label] if class_names else str(label)) for label in missing[:_NAMED]]
                named = ", ".join(names) + (", ..." if len(missing) > _NAMED else "")
                raise DataError(
                    f"expected images of all {self.count} classes in the {part} split of data set {data!r}, "
                    f"received none of class {named}; add some, or number the classes from 0 without gaps"
                )

    def check_model(self, model: Any, targets: Array, data: str) -> None:
        """Refuse a model without an output for each class; one unit does for two."""
        shape = single_output(model)
        if shape != (self.count,) and not (shape == (1,) and self.count == 2):
            raise DataError(
                f"expected as many classes as the model's output {shape}, received {self.count} from data set "
                f"{data!r}; build the model for {self.count} classes"
            )

    def loss(self, model: Any) -> Any:
        """Cross-entropy of probabilities or logits."""
        import keras

        from zoo.tasks.loss import LabelLoss, gives_logits

        if single_output(model) == (1,):
            logits = gives_logits(model, "sigmoid", self.name)
            return LabelLoss(keras.losses.BinaryCrossentropy(from_logits=logits), logits)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=gives_logits(model, "softmax", self.name))

    def training_loss(self, model: Any, choice: KerasClass | None = None, *, mixed: bool = False) -> Any:
        """The loss that was chosen, for class numbers or shares of classes."""
        from zoo.tasks.loss import label_loss

        plain = self.loss(model)
        if single_output(model) == (1,):
            if mixed:
                raise ConfigError("augment: expected an output for each class with MixUp and CutMix, received one unit")
            return plain if choice is None else self._of_one_unit(choice, plain.from_logits)
        if choice is None and not mixed:
            return plain
        return label_loss(choice or _CROSS_ENTROPY, plain.from_logits, mixed=mixed)

    def _of_one_unit(self, choice: KerasClass, from_logits: bool) -> Any:
        """The loss that was chosen, which must tell two classes by one number: of one class alone all are 0."""
        from zoo.tasks.loss import check_prefers, label_loss

        made, labels = label_loss(choice, from_logits), np.arange(2)
        right = np.array([[-2.0], [2.0]] if from_logits else [[0.1], [0.9]], np.float32)
        check_prefers(made, (labels, right), (labels, right[::-1]))
        return made

    def check_loss(self, choice: KerasClass, mixed: bool) -> None:
        """Try a loss on made-up outputs of all classes."""
        from zoo.tasks.loss import label_loss, value_on

        outputs = np.full((2, self.count), 1 / self.count, np.float32)
        value_on(label_loss(choice, False, mixed=mixed), np.zeros(2, np.int64), outputs)

    def keras_metric(self, model: Any, *, mixed: bool = False) -> Any:
        """Accuracy, of the largest share where labels are mixed."""
        import keras

        from zoo.tasks.loss import accuracy, gives_logits

        if single_output(model) == (1,):
            middle = 0.0 if gives_logits(model, "sigmoid", self.name) else 0.5
            return keras.metrics.BinaryAccuracy(ACCURACY.name, threshold=middle)
        if mixed:
            return keras.metrics.MeanMetricWrapper(accuracy, name=ACCURACY.name)
        return keras.metrics.SparseCategoricalAccuracy(ACCURACY.name)

    def running_figures(self) -> RunningFigures:
        """Top-1 accuracy, in [0, 1]."""
        return MeanFigures(lambda targets, outputs: {ACCURACY.name: outputs.argmax(axis=-1) == targets})

    def activated(self, outputs: Array, from_logits: bool) -> Array:
        """Probabilities (N, classes), of one unit too."""
        return class_probabilities(outputs, from_logits)

    def compared(
        self, metric: Metric, targets: Array, outputs: Array, *, one_unit: bool = False
    ) -> tuple[Array, Array]:
        """Class numbers, or rows with a single 1, as the metric takes them; of one unit 0 or 1, and its probability."""
        return rows_compared(metric, targets, outputs, one_unit)

    def made_up(self, *, right: bool) -> tuple[Array, Array]:
        """Labels and probabilities of classifiers that are always right and always wrong.

        One class has 0.8, no two of an image are equal; the class of the label comes first where the outputs are right,
        and last where they are wrong.
        """
        classes = self.count
        labels = np.arange(min(classes, _MADE_UP))
        place = (np.arange(classes)[None] - labels[:, None]) % classes
        place = place if right else classes - 1 - place
        weights = np.where(place == 0, 0.0, classes - place)
        rest = 0.2 * weights / weights.sum(axis=1, keepdims=True)
        return labels.astype(np.int64), np.where(place == 0, 0.8, rest).astype(np.float32)

    def soft(self, outputs: Any, from_logits: bool) -> Any:
        """Logits (N, classes), up to a constant for each image; 0 and that of the unit where there is one."""
        return class_logits(outputs, from_logits)

    def soft_loss(self, student: Any, teacher: Any, temperature: float) -> Any:
        """Mean cross-entropy of softened outputs with softened targets, times the square of the temperature."""
        return softened_cross_entropy(student, teacher, temperature)

    def agreement(self, outputs: Array, others: Array) -> float | None:
        """Share of images that are of one class for both models; None of one unit, a logit or a probability."""
        if outputs.shape[-1] == 1:
            return None
        return float(np.mean(outputs.argmax(axis=-1) == others.argmax(axis=-1)))

    def shown_targets(self, targets: Array) -> list[Answer]:
        """The number of the class."""
        return [str(label) for label in targets.tolist()]

    def shown_outputs(self, outputs: Array) -> list[Answer]:
        """The number of the likeliest class, and how likely it is."""
        return [f"{row.argmax()} ({100 * row.max():.0f} %)" for row in outputs]

    def doubt(self, targets: Array, outputs: Array) -> str | None:
        """No better than chance: the share of the commonest class, and two standard errors more."""
        count = len(targets)
        accuracy = self.figures(targets, outputs)[ACCURACY.name]
        chance = float(np.bincount(targets).max() / count)
        if accuracy > chance + 2 * math.sqrt(chance * (1 - chance) / count):
            return None
        return (
            f"the original model scores {100 * accuracy:.1f} % on {count} validation images, where the commonest class "
            f"has {100 * chance:.1f} %"
        )

    def class_counts(self, targets: Array) -> Array | None:
        """How many images each class has."""
        return np.bincount(targets, minlength=self.count)


_CROSS_ENTROPY = KerasClass("CategoricalCrossentropy")


def check_numbers(
    targets: Array, classes: int, part: str, data: str, place: Callable[[int], str] = lambda label: ""
) -> None:
    """Refuse numbers that are none of a class.

    place: where a number occurs, for the message.

    Raises:
        DataError: the least and the largest.
    """
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"expected {part} labels from 0 to {classes - 1} in data set {data!r}, received {low} to {high}"
            f"{place(low if low < 0 else high)}; number the classes from 0"
        )


def class_probabilities(outputs: Array, from_logits: bool) -> Array:
    """Probabilities (..., classes) of outputs that are logits or probabilities; of one unit, of both classes."""
    from scipy.special import expit, softmax

    if outputs.shape[-1] == 1:
        second = expit(outputs) if from_logits else outputs
        return np.concatenate([1 - second, second], axis=-1)
    return np.asarray(softmax(outputs, axis=-1)) if from_logits else outputs


def class_logits(outputs: Any, from_logits: bool) -> Any:
    """Logits (..., classes) of outputs that are logits or probabilities, of one unit too."""
    import keras

    epsilon = keras.config.epsilon()
    if outputs.shape[-1] == 1:
        logits = outputs
        if not from_logits:
            logits = keras.ops.log(outputs + epsilon) - keras.ops.log(1 - outputs + epsilon)
        return keras.ops.concatenate([keras.ops.zeros_like(logits), logits], axis=-1)
    return outputs if from_logits else keras.ops.log(outputs + epsilon)


def softened_cross_entropy(student: Any, teacher: Any, temperature: float) -> Any:
    """Mean cross-entropy of softened logits (..., classes) with a teacher's, times the square of the temperature.

    Source: Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network", section 2.
    """
    import keras

    targets = keras.ops.softmax(teacher / temperature)
    entropies = keras.ops.categorical_crossentropy(targets, student / temperature, from_logits=True)
    return temperature**2 * keras.ops.mean(entropies)
