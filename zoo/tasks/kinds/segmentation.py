"""Images whose every pixel has a class."""

from collections.abc import Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from compress.errors import ConfigError, DataError
from zoo.tasks.figures.running import JoinedFigures, KerasFigures, MeanFigures, RunningFigures
from zoo.tasks.keras_class import KerasClass, plain_name
from zoo.tasks.kinds.classification import (
    check_numbers,
    class_logits,
    class_probabilities,
    softened_cross_entropy,
)
from zoo.tasks.labels import rows_compared
from zoo.tasks.metric import LOSS, Metric
from zoo.tasks.stored import place_of, values_of
from zoo.tasks.task import Answer, Array, Layout, Task, check_alike, check_shape, single_output

_IOU, _PIXELS = Metric("mean_IoU", unit="%"), Metric("pixel_accuracy", unit="%")


@dataclass(frozen=True)
class Segmentation(Task):
    """Semantic segmentation: targets are class numbers (N, height, width), outputs (N, height, width, classes).

    Attributes:
        classes: how many there are; None for as many as the targets have.
        ignored_label: the number of pixels that count neither in training nor in figures; None for no such pixels.
    """

    name: ClassVar[str] = "segmentation"
    words: ClassVar[str] = "a class for every pixel; mean IoU, pixel accuracy"
    folder: ClassVar[Layout] = "pairs"
    moves: ClassVar[bool] = True
    classes: int | None = None
    ignored_label: int | None = None

    def __post_init__(self) -> None:
        if self.classes is not None and self.classes < 2:
            raise ConfigError(f"task.options.classes: expected at least 2, received {self.classes}")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Mean intersection over union, share of pixels that are right, cross-entropy."""
        return _IOU, _PIXELS, LOSS

    @property
    def label(self) -> str:
        """How many classes."""
        return f"{self.classes} classes a pixel"

    @property
    def count(self) -> int:
        """How many classes there are, once the data are known."""
        if self.classes is None:
            raise ConfigError("task.options.classes: expected a number of classes, received none; give it")
        return self.classes

    def targets(self, given: Array, what: str) -> Array:
        """Class numbers (N, height, width), int32, of integers with or without a last axis of 1."""
        masks = given[..., 0] if given.ndim == 4 and given.shape[-1] == 1 else given
        if masks.ndim != 3 or masks.dtype.kind not in "biu":
            raise DataError(
                f"expected masks of class numbers (N, height, width) in {what}, received {given.dtype} of shape "
                f"{given.shape}"
            )
        return masks.astype(np.int32)

    def fitted(self, train: Array, *others: Array) -> Self:
        """With as many classes as the largest number that is not ignored says."""
        if self.classes is not None:
            return self
        values = (self._counted(values_of(part)) for part in (train, *others))
        return replace(self, classes=max(int(part.max(initial=0)) for part in values) + 1)

    def _counted(self, targets: Array) -> Array:
        """The pixels that count."""
        return targets.ravel() if self.ignored_label is None else targets[targets != self.ignored_label]

    def check_values(self, targets: Array, part: str, data: str) -> None:
        """Refuse numbers of pixels that count and are none of a class."""
        counted = self._counted(values_of(targets))
        if counted.size:
            check_numbers(counted, self.count, part, data, partial(place_of, targets))

    def check(self, parts: Mapping[str, Array], data: str, class_names: Sequence[str] | None = None) -> None:
        """Refuse masks of several sizes, and masks without a pixel that counts."""
        check_alike(parts, "masks", data)
        for part, targets in parts.items():
            if not self._counted(values_of(targets)).size:
                raise DataError(f"expected pixels that count in the {part} masks of data set {data!r}, received none")

    def check_model(self, model: Any, targets: Array, data: str) -> None:
        """Refuse a model without a score of each class for every pixel; one channel does for two classes."""
        if not self._is_unit(model):
            check_shape(model, (*targets.shape[1:], self.count), data)
            return
        check_shape(model, (*targets.shape[1:], 1), data)
        if self.count != 2 or self.ignored_label is not None:
            raise DataError(
                f"expected two classes and no ignored label of a model with one channel, received {self.count} classes "
                f"and ignored label {self.ignored_label} in data set {data!r}; give a model with a channel for each"
            )

    def _is_unit(self, model: Any) -> bool:
        return single_output(model)[-1:] == (1,)

    def loss(self, model: Any) -> Any:
        """Cross-entropy of the pixels that count."""
        return self.training_loss(model)

    def training_loss(self, model: Any, choice: KerasClass | None = None, *, mixed: bool = False) -> Any:
        """The loss that was chosen; with an ignored label, one that can ignore it."""
        from zoo.tasks.loss import gives_logits

        if mixed:
            return super().training_loss(model, choice, mixed=mixed)
        unit = self._is_unit(model)
        logits = gives_logits(model, "sigmoid" if unit else "softmax", self.name)
        usual = KerasClass("BinaryCrossentropy" if unit else "SparseCategoricalCrossentropy")
        return self._made_loss(choice or usual, logits)

    def check_loss(self, choice: KerasClass, mixed: bool) -> None:
        """Try a loss on made-up outputs."""
        from zoo.tasks.loss import check_prefers

        check_prefers(self._made_loss(choice, False), self.made_up(right=True), self.made_up(right=False))

    def _made_loss(self, choice: KerasClass, from_logits: bool) -> Any:
        from zoo.tasks.loss import label_loss, loss_classes

        if self.ignored_label is not None:
            able = [name for name, kind in loss_classes().items() if "ignore_class" in signature(kind).parameters]
            if plain_name(choice.name) not in map(plain_name, able):
                raise ConfigError(
                    f"loss: expected one that can ignore a label, {' or '.join(sorted(able))}, received {choice.name}; "
                    "leave task.options.ignored_label out, or choose another"
                )
        return label_loss(choice, from_logits, ignore_class=self.ignored_label)

    def keras_metric(self, model: Any, *, mixed: bool = False) -> Any:
        """Mean intersection over union."""
        import keras

        from zoo.tasks.loss import gives_logits

        if not self._is_unit(model):
            return self._mean_iou()
        middle = 0.0 if gives_logits(model, "sigmoid", self.name) else 0.5
        return keras.metrics.BinaryIoU((0, 1), threshold=middle, name=_IOU.name)

    def _mean_iou(self) -> Any:
        import keras

        return keras.metrics.MeanIoU(self.count, name=_IOU.name, ignore_class=self.ignored_label, sparse_y_pred=False)

    def running_figures(self) -> RunningFigures:
        """Mean IoU by Keras, and the share of counted pixels that are right."""
        counted = None if self.ignored_label is None else self._counted_pairs
        return JoinedFigures(KerasFigures({_IOU.name: self._mean_iou()}, counted), MeanFigures(self._right))

    def _right(self, targets: Array, outputs: Array) -> dict[str, Array]:
        right = outputs.argmax(axis=-1) == targets
        return {_PIXELS.name: right if self.ignored_label is None else right[targets != self.ignored_label]}

    def _counted_pairs(self, targets: Array, outputs: Array) -> tuple[Array, Array]:
        """Numbers (P,) and outputs (P, classes) of the pixels that count."""
        counted = np.ones(targets.shape, bool) if self.ignored_label is None else targets != self.ignored_label
        return targets[counted], outputs[counted]

    def activated(self, outputs: Array, from_logits: bool) -> Array:
        """Probabilities (N, height, width, classes), of one channel too."""
        return class_probabilities(outputs, from_logits)

    def compared(
        self, metric: Metric, targets: Array, outputs: Array, *, one_unit: bool = False
    ) -> tuple[Array, Array]:
        """As of a classifier for each pixel, without the pixels that are ignored."""
        return rows_compared(metric, *self._counted_pairs(targets, outputs), one_unit)

    def made_up(self, *, right: bool) -> tuple[Array, Array]:
        """One image with two pixels of each class."""
        numbers = np.tile(np.arange(self.count, dtype=np.int32), 2).reshape(1, 2, -1)
        chosen = numbers if right else (numbers + 1) % self.count
        outputs = np.full((*numbers.shape, self.count), 0.2 / (self.count - 1), np.float32)
        np.put_along_axis(outputs, chosen[..., None], np.float32(0.8), axis=-1)
        return numbers, outputs

    def soft(self, outputs: Any, from_logits: bool) -> Any:
        """Logits (N, height, width, classes)."""
        return class_logits(outputs, from_logits)

    def soft_loss(self, student: Any, teacher: Any, temperature: float) -> Any:
        """As of a classifier, over all pixels."""
        return softened_cross_entropy(student, teacher, temperature)

    def agreement(self, outputs: Array, others: Array) -> float | None:
        """Share of pixels that are of one class for both models; None of one channel, logits or probabilities.

        Among millions of pixels there are some whose two likeliest classes differ by no more than rounding: a class
        whose output is within a thousandth of the range below the largest is as good.
        """
        if outputs.shape[-1] == 1:
            return None
        chosen = np.take_along_axis(others, outputs.argmax(axis=-1)[..., None], axis=-1)[..., 0]
        return float(np.mean(others.max(axis=-1) - chosen <= 1e-3 * np.ptp(others)))

    def shown_targets(self, targets: Array) -> list[Answer]:
        """A colour for every class; ignored pixels are black."""
        colours = self._colours()
        return [colours[np.where(mask == self.ignored_label, self.count, mask)] for mask in targets]

    def shown_outputs(self, outputs: Array) -> list[Answer]:
        """The colour of every pixel's likeliest class."""
        return self.shown_targets(outputs.argmax(axis=-1))

    def _colours(self) -> npt.NDArray[np.uint8]:
        """As many hues as classes, (classes + 1, 3), every other one darker, and black."""
        hues = [hsv_to_rgb(label / self.count, 0.75, 0.95 if label % 2 == 0 else 0.6) for label in range(self.count)]
        return (255 * np.array([*hues, (0, 0, 0)])).astype(np.uint8)

    def doubt(self, targets: Array, outputs: Array) -> str | None:
        """Fewer pixels right than by giving all of them the commonest class; of pixels that all are ignored none."""
        counted = self._counted(targets)
        if not counted.size:
            return None
        chance = float(np.bincount(counted).max() / counted.size)
        accuracy = self.figures(targets, outputs)[_PIXELS.name]
        if accuracy > chance:
            return None
        return (
            f"the original model is right on {100 * accuracy:.1f} % of the pixels of {len(targets)} validation images, "
            f"where the commonest class has {100 * chance:.1f} %"
        )
