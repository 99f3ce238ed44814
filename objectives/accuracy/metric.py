"""What a candidate is ranked by: accuracy, loss, or any metric of Keras, the higher or the lower the better."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from compress.errors import DivergenceError

Direction = Literal["maximize", "minimize"]
LabelForm = Literal["index", "one_hot"]


@dataclass(frozen=True)
class Metric:
    """One figure of a classifier's outputs on labelled images.

    Attributes:
        name: ``accuracy`` (top-1) or ``loss`` (cross-entropy), which every candidate is scored by anyway, or a class of
            `keras.metrics`.
        direction: whether more of it is better, or less.
        labels: what the class takes: class numbers (N,), or rows (N, classes) with a single 1.
        options: arguments of the class.
    """

    name: str
    direction: Direction = "maximize"
    labels: LabelForm = "index"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_extra(self) -> bool:
        """Whether it is shown beside accuracy and loss, being neither."""
        return self.name not in ("accuracy", "loss")

    def __call__(self, labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]) -> float:
        """The value of a `keras.metrics` class on all images at once.

        labels: (N,) class numbers; probabilities: (N, classes).

        Raises:
            DivergenceError: the value is not finite.
        """
        value = float(self.result(labels, probabilities))
        if not math.isfinite(value):
            raise DivergenceError(
                f"metric {self.name}: expected a finite number on {len(labels)} images, received {value}; "
                "choose another search.metric, or lower the learning rate"
            )
        return value

    def result(self, labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]) -> Any:
        """What the class makes of them: an array, of a single number for a metric that can be ranked by."""
        import keras  # Reading the figures of a study does without it.

        metric = metric_classes()[self.name](**self.options)
        one_hot = np.eye(probabilities.shape[1], dtype=np.float32)
        metric.update_state(labels if self.labels == "index" else one_hot[labels], probabilities)
        return np.asarray(keras.ops.convert_to_numpy(metric.result()))


ACCURACY, LOSS = Metric("accuracy"), Metric("loss", "minimize")


@dataclass(frozen=True)
class Score:
    """Figures of a classifier's outputs on the labelled images of a split.

    Attributes:
        accuracy: top-1, in [0, 1].
        loss: mean cross-entropy in nats; not finite where the outputs are not.
        value: of a metric that is neither of the two; None for these, and where the loss is not finite.
    """

    accuracy: float
    loss: float
    value: float | None = None

    def figures(self, metric: Metric) -> dict[str, float | None]:
        """Accuracy, loss and, where it is neither, the metric, by name."""
        extra = {metric.name: self.value} if metric.is_extra else {}
        return {ACCURACY.name: self.accuracy, LOSS.name: self.loss, **extra}

    def figure(self, metric: Metric) -> float:
        """The figure that a metric ranks by; NaN where it was not measured."""
        figure = self.figures(metric)[metric.name]
        return math.nan if figure is None else figure

    def objective(self, metric: Metric) -> float:
        """What a study that ranks by a metric maximizes; minus infinity where it was not measured."""
        figure = self.figures(metric)[metric.name]
        if figure is None:
            return -math.inf
        return figure if metric.direction == "maximize" else -figure

    def text(self, metric: Metric) -> str:
        """All figures in one line: ``accuracy 0.9000, loss 0.3000``, and the metric where it is neither."""
        return ", ".join(f"{name} {figure:.4f}" for name, figure in self.figures(metric).items())


def metric_classes() -> dict[str, Any]:
    """The classes of `keras.metrics` that compare labels with outputs, by name."""
    import keras

    classes = {name: kind for name, kind in vars(keras.metrics).items() if inspect.isclass(kind)}
    return {name: kind for name, kind in classes.items() if _compares(kind)}


def _compares(kind: Any) -> bool:
    """Mean and Sum take values, and MeanMetricWrapper a function, which no file can hold."""
    import keras

    if not issubclass(kind, keras.metrics.Metric) or kind is keras.metrics.MeanMetricWrapper:
        return False
    return list(inspect.signature(kind.update_state).parameters)[1:3] == ["y_true", "y_pred"]


def stored(metric: Metric) -> str | dict[str, Any]:
    """The metric as a study keeps it: accuracy and loss by name, others with all fields."""
    return asdict(metric) if metric.is_extra else metric.name


def restored(kept: str | Mapping[str, Any]) -> Metric:
    """The metric that a study kept."""
    if isinstance(kept, str):
        return LOSS if kept == LOSS.name else ACCURACY
    return Metric(**kept)
