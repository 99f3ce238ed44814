"""Metrics and scores: what models are measured and ranked by, the higher or the lower the better."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Direction = Literal["maximize", "minimize"]
LabelForm = Literal["index", "one_hot"]
Unit = Literal["", "%", "dB"]


@dataclass(frozen=True)
class Metric:
    """One figure of a model's outputs on the images of a split.

    Attributes:
        name: of a figure that the task measures anyway, such as ``accuracy`` or ``loss``, or a class of
            `keras.metrics`.
        direction: whether more of it is better, or less.
        labels: what the class takes of a classifier: class numbers (N,), or rows (N, classes) with a single 1.
        options: arguments of the class.
        unit: in which it is shown; a figure in ``%`` is a share, 0 to 1.
    """

    name: str
    direction: Direction = "maximize"
    labels: LabelForm = "index"
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: Unit = ""

    @property
    def title(self) -> str:
        """The name as a headline: ``Accuracy``, ``Mean IoU``, ``PSNR``."""
        words = self.name.split("_")
        first = words[0].capitalize() if words[0].islower() else words[0]
        return " ".join([first, *words[1:]])

    def cell(self, figure: float) -> str:
        """The figure as text, with its unit: ``76.92 %``."""
        return f"{100 * figure:.2f} %" if self.unit == "%" else f"{figure:.4f}{self._suffix}"

    def difference(self, figure: float, other: float) -> str:
        """By how much a figure is above another one, in its unit or in points: ``-1.39``."""
        return f"{100 * (figure - other):+.2f}" if self.unit == "%" else f"{figure - other:+.4f}"

    def of_objective(self, objective: float) -> float:
        """The figure of what a study that ranks by this metric maximizes."""
        return objective if self.direction == "maximize" else -objective

    @property
    def _suffix(self) -> str:
        return f" {self.unit}" if self.unit else ""


ACCURACY, LOSS = Metric("accuracy", unit="%"), Metric("loss", "minimize")


@dataclass(frozen=True)
class Score:
    """Figures of a model's outputs on the images of a split.

    Attributes:
        figures: by the names of the task's metrics, with the one that is ranked by where it is none of them; the loss
            is not finite where the outputs are not, and then there are no others.
    """

    figures: Mapping[str, float]

    @property
    def loss(self) -> float:
        """What the task minimizes, a mean over images; NaN where it was not measured."""
        return self.figures.get(LOSS.name, math.nan)

    def figure(self, metric: Metric) -> float:
        """The figure that a metric ranks by; NaN where it was not measured."""
        return self.figures.get(metric.name, math.nan)

    def objective(self, metric: Metric) -> float:
        """What a study that ranks by a metric maximizes; minus infinity where it was not measured."""
        figure = self.figures.get(metric.name, -math.inf if metric.direction == "maximize" else math.inf)
        return figure if metric.direction == "maximize" else -figure

    @property
    def text(self) -> str:
        """All figures in one line: ``accuracy 0.9000, loss 0.3000``."""
        return ", ".join(f"{name} {figure:.4f}" for name, figure in self.figures.items())


def metric_classes() -> dict[str, Any]:
    """The classes of `keras.metrics` that compare targets with outputs, by name."""
    import keras

    classes = {name: kind for name, kind in vars(keras.metrics).items() if inspect.isclass(kind)}
    return {name: kind for name, kind in classes.items() if _compares(kind)}


def _compares(kind: Any) -> bool:
    """Mean and Sum take values, and MeanMetricWrapper a function, which no file can hold."""
    import keras

    if not issubclass(kind, keras.metrics.Metric) or kind is keras.metrics.MeanMetricWrapper:
        return False
    return list(inspect.signature(kind.update_state).parameters)[1:3] == ["y_true", "y_pred"]


def stored(metric: Metric) -> dict[str, Any]:
    """The metric as a study keeps it."""
    return asdict(metric)


def restored(kept: Mapping[str, Any]) -> Metric:
    """The metric that a study kept."""
    return Metric(**kept)
