"""A task: what images are given to a model for, what its training minimizes, and what it is measured by."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from compress.errors import ConfigError, DataError, ModelError
from zoo.tasks.figures.running import RunningFigures
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import Metric
from zoo.tasks.stored import values_of

Array = npt.NDArray[Any]
Answer = str | npt.NDArray[np.uint8]
Layout = Literal["classes", "pairs", "table", "sharp", "none"]

_VALUES = 8
"""Numbers of one image that are shown at most."""


@dataclass(frozen=True)
class Shown:
    """A few examples as a report shows them, with what is right and what a model answers.

    Attributes:
        images: (N, H, W, C), as the data hold them.
        targets, outputs: text, or images (H, W, 1 or 3) uint8, N of each output by its name; an empty name where there
            is one output alone.
    """

    images: Array
    targets: Mapping[str, Sequence[Answer]]
    outputs: Mapping[str, Sequence[Answer]]


@dataclass(frozen=True)
class Task(ABC):
    """What a model is trained and scored on; its fields are the options of a configuration.

    A subclass in a file of the folder ``kinds`` is a task that configurations can name. Targets are arrays (N, ...),
    outputs float32 arrays (N, ...) as the model gives them.

    Attributes:
        name: as configurations give it.
        words: what it is, for the reference.
        folder: how a folder of images holds the targets: folders of ``classes``, ``pairs`` of files, a ``table``, the
            images themselves (``sharp``), or not at all (``none``).
        moves: whether targets are images, which move as the inputs do when these are cropped or flipped.
        takes_short_floats: whether its metrics bear training in 16 bits, as those do that count right answers.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    folder: ClassVar[Layout] = "none"
    moves: ClassVar[bool] = False
    takes_short_floats: ClassVar[bool] = True

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured on every split; the first one ranks candidates unless another is asked for."""

    @abstractmethod
    def targets(self, given: Array, what: str) -> Array:
        """Targets (N, ...) in the form that losses take, of an array as users have it.

        what: names the array in messages.

        Raises:
            DataError: targets of another task.
        """

    def fitted(self, train: Array, *others: Array) -> Self:
        """The task that knows of the targets of all splits what its options left open, such as how many classes."""
        return self

    def check_values(self, targets: Array, part: str, data: str) -> None:
        """Refuse targets of a split that no model can have.

        Raises:
            DataError: a number that is not finite, or out of range.
        """
        if targets.dtype.kind == "f" and not np.isfinite(values_of(targets)).all():
            raise DataError(f"expected finite {part} targets in data set {data!r}, received NaN or infinity")

    @abstractmethod
    def check(self, parts: Mapping[str, Array], data: str, class_names: Sequence[str] | None = None) -> None:
        """Refuse targets of a data set, by split, that this task cannot be trained or scored on.

        class_names: of each class, for messages.

        Raises:
            DataError: names the split.
        """

    @abstractmethod
    def check_model(self, model: Any, targets: Array, data: str) -> None:
        """Refuse a model whose outputs are not of the shape that targets ask for.

        Raises:
            DataError, ModelError: names both shapes.
        """

    @abstractmethod
    def loss(self, model: Any) -> Any:
        """A loss of Keras for the model's outputs, with an attribute ``from_logits``.

        Raises:
            ModelError: outputs that no loss of this task fits.
        """

    def training_loss(self, model: Any, choice: KerasClass | None = None, *, mixed: bool = False) -> Any:
        """What training minimizes: the loss that was chosen of `keras.losses`, or the task's own.

        mixed: whether targets may be shares of classes.

        Raises:
            ConfigError: a loss that is none, or does not take such outputs.
            ModelError: outputs that no loss of this task fits.
        """
        from zoo.tasks.loss import plain_loss

        if mixed:
            raise ConfigError(f"augment: expected layers that mix no images for {self.name}, received MixUp or CutMix")
        return self.loss(model) if choice is None else plain_loss(choice)

    def check_loss(self, choice: KerasClass, mixed: bool) -> None:
        """Try a loss on made-up outputs.

        Raises:
            ConfigError: it does not take them, or is no lower for right ones than for wrong ones.
        """
        from zoo.tasks.loss import check_prefers, plain_loss

        check_prefers(plain_loss(choice), self.made_up(right=True), self.made_up(right=False))

    @abstractmethod
    def keras_metric(self, model: Any, *, mixed: bool = False) -> Any:
        """The first metric as an object of `keras.metrics`, for outputs as the model gives them, in a training."""

    @abstractmethod
    def running_figures(self) -> RunningFigures:
        """All metrics but the loss, of outputs after `activated`, which come in parts."""

    def figures(self, targets: Array, outputs: Array) -> dict[str, float]:
        """All metrics but the loss, of outputs after `activated`."""
        running = self.running_figures()
        running.add(targets, outputs)
        return running.result()

    def activated(self, outputs: Array, from_logits: bool) -> Array:
        """What metrics take: probabilities, where the model gives logits."""
        return outputs

    def compared(
        self, metric: Metric, targets: Array, outputs: Array, *, one_unit: bool = False
    ) -> tuple[Array, Array]:
        """Targets and outputs, after `activated`, as a class of `keras.metrics` takes them.

        one_unit: whether the model has a single sigmoid unit for two classes.
        """
        return targets, outputs

    @abstractmethod
    def made_up(self, *, right: bool) -> tuple[Array, Array]:
        """A few targets, and outputs as metrics take them that are all right, or all wrong."""

    def soft(self, outputs: Any, from_logits: bool) -> Any:
        """What a student learns of a teacher's outputs, and is compared by: the outputs, or logits (..., classes)."""
        return outputs

    def soft_loss(self, student: Any, teacher: Any, temperature: float) -> Any:
        """Mean distance of two ``soft`` tensors: the squared difference, unless the task has classes."""
        import keras

        return keras.ops.mean(keras.ops.square(student - teacher))

    def agreement(self, outputs: Array, others: Array) -> float | None:
        """Share of two models' answers that are the same, 0 to 1; None where answers are no classes."""
        return None

    def shown_targets(self, targets: Array) -> list[Answer]:
        """Targets as a report shows them: text, or an image (H, W, 3) uint8."""
        return self.shown_outputs(targets)

    def shown_outputs(self, outputs: Array) -> list[Answer]:
        """Outputs, after `activated`, as a report shows them."""
        return [", ".join(f"{value:.3g}" for value in np.ravel(row)[:_VALUES]) for row in outputs]

    def doubt(self, targets: Array, outputs: Array) -> str | None:
        """Why the original model seems untrained, or to see other images than it was trained on; None if it does not.

        outputs: after `activated`.
        """
        return None

    def class_counts(self, targets: Array) -> Array | None:
        """How many images each class has, (classes,); None where an image has no single class."""
        return None

    @property
    def label(self) -> str:
        """The task in a word or two, for the dry run: ``10 classes``."""
        return self.name


def check_alike(parts: Mapping[str, Array], words: str, data: str) -> tuple[int, ...]:
    """The shape of one image's targets, which all splits share.

    words: what targets are, for messages.

    Raises:
        DataError: names the split that differs, and both shapes.
    """
    expected = parts["training"].shape[1:]
    for part, targets in parts.items():
        if targets.shape[1:] != expected:
            raise DataError(
                f"expected {part} {words} of shape {expected} in data set {data!r}, as in training, received "
                f"{targets.shape[1:]}"
            )
    return tuple(expected)


def single_output(model: Any) -> tuple[int | None, ...]:
    """The shape of one image's output.

    Raises:
        ModelError: several outputs, or one in a dictionary.
    """
    if len(model.outputs) != 1:
        raise ModelError(f"expected a model with one output, received {len(model.outputs)} from {model.name!r}")
    if isinstance(getattr(model, "output", None), Mapping):
        raise ModelError(
            f"expected a tensor as the output of {model.name!r}, received a dictionary of {', '.join(model.output)}; "
            "give it a task by that name, in task.options.outputs of the task outputs, or save "
            "keras.Model(model.input, model.outputs[0])"
        )
    return tuple(model.outputs[0].shape[1:])


def is_one_unit(task: Task, model: Any) -> bool:
    """Whether a model tells two classes by a single unit."""
    return getattr(task, "classes", None) == 2 and single_output(model)[-1:] == (1,)


def check_shape(model: Any, expected: tuple[int, ...], data: str) -> None:
    """Refuse outputs of another shape than that of targets; a side that the model leaves open fits any.

    Raises:
        DataError: names both.
    """
    shape = single_output(model)
    if len(shape) != len(expected) or any(s not in (None, e) for s, e in zip(shape, expected, strict=True)):
        raise DataError(
            f"expected outputs of the targets' shape {expected} in data set {data!r}, received {shape} from model "
            f"{model.name!r}; give a model or targets of that shape"
        )
