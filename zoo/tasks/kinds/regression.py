"""Images with numbers that are to be predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from compress.errors import DataError
from zoo.tasks.figures.running import ExplainedVariance, JoinedFigures, KerasFigures, RunningFigures
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import LOSS, Metric
from zoo.tasks.task import Array, Layout, Task, check_alike, check_shape

_MAE, _RMSE, _R2 = Metric("MAE", "minimize"), Metric("RMSE", "minimize"), Metric("R2")


@dataclass(frozen=True)
class Regression(Task):
    """Numbers of an image: targets (N, numbers), outputs of their shape."""

    name: ClassVar[str] = "regression"
    words: ClassVar[str] = "numbers an image; MAE, RMSE, R2"
    folder: ClassVar[Layout] = "table"
    takes_short_floats: ClassVar[bool] = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Mean absolute error, root of the mean squared one, share of the variance explained, mean squared error."""
        return _MAE, _RMSE, _R2, LOSS

    def targets(self, given: Array, what: str) -> Array:
        """Finite numbers (N, numbers), float32; (N,) is one number an image."""
        if given.dtype.kind not in "biuf" or given.ndim not in (1, 2) or not np.isfinite(given).all():
            raise DataError(
                f"expected finite numbers (N,) or (N, numbers) in {what}, received {given.dtype} of shape {given.shape}"
            )
        return given.astype(np.float32).reshape(len(given), -1)

    def check(self, parts: Mapping[str, Array], data: str, class_names: Sequence[str] | None = None) -> None:
        """Refuse splits of other numbers than training has, and numbers that are the same for all images."""
        check_alike(parts, "numbers", data)
        for targets in parts.values():
            if (np.ptp(targets, axis=0) == 0).any():
                raise DataError(
                    f"expected numbers that differ between images of data set {data!r}, received a constant one"
                )

    def check_model(self, model: Any, targets: Array, data: str) -> None:
        """Refuse a model that does not give as many numbers."""
        check_shape(model, targets.shape[1:], data)

    def loss(self, model: Any) -> Any:
        """Mean squared error."""
        from zoo.tasks.loss import plain_loss

        return plain_loss(KerasClass("MeanSquaredError"))

    def keras_metric(self, model: Any, *, mixed: bool = False) -> Any:
        """Mean absolute error."""
        import keras

        return keras.metrics.MeanAbsoluteError(_MAE.name)

    def running_figures(self) -> RunningFigures:
        """Errors by Keras's metrics; R2 is the mean over the numbers."""
        import keras

        made = {_MAE.name: keras.metrics.MeanAbsoluteError(), _RMSE.name: keras.metrics.RootMeanSquaredError()}
        return JoinedFigures(KerasFigures(made), ExplainedVariance(_R2.name))

    def made_up(self, *, right: bool) -> tuple[Array, Array]:
        """Four images of one number."""
        targets = np.array([[0.1], [0.9], [0.4], [0.7]], np.float32)
        return targets, targets + np.float32(0.01) if right else 1 - targets

    def doubt(self, targets: Array, outputs: Array) -> str | None:
        """No better than the mean of the targets would be."""
        own, mean = np.mean((outputs - targets) ** 2), np.mean((targets.mean(axis=0) - targets) ** 2)
        if own < mean:
            return None
        return (
            f"the original model's mean squared error is {own:.4g} on {len(targets)} validation images, where the mean "
            f"of their targets has {mean:.4g}"
        )
