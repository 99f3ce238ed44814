"""Figures of outputs that come in parts, so that those of a whole split are never held at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class RunningFigures(ABC):
    """Figures of all targets and outputs, as metrics take them, that were added."""

    @abstractmethod
    def add(self, targets: Array, outputs: Array) -> None:
        """Take in those of some images, (N, ...) each."""

    @abstractmethod
    def result(self) -> dict[str, float]:
        """The figures by name."""


class MeanFigures(RunningFigures):
    """Means of values that each image, or pixel, has by itself; 0 of none.

    Args:
        values: gives an array for each figure, by name.
    """

    def __init__(self, values: Callable[[Array, Array], Mapping[str, Array]]) -> None:
        self._values = values
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, targets: Array, outputs: Array) -> None:
        """Sum up the values of some images."""
        for name, values in self._values(targets, outputs).items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = total + float(np.sum(values, dtype=np.float64)), count + values.size

    def result(self) -> dict[str, float]:
        """The means."""
        return {name: total / count if count else 0.0 for name, (total, count) in self._sums.items()}


class KerasFigures(RunningFigures):
    """Figures of Keras's metrics, which have a state.

    Args:
        metrics: objects of `keras.metrics`, by the names of the figures.
        counted: gives the targets and outputs that count; None for all.
    """

    def __init__(
        self, metrics: Mapping[str, Any], counted: Callable[[Array, Array], tuple[Array, Array]] | None = None
    ) -> None:
        self._metrics, self._counted = metrics, counted

    def add(self, targets: Array, outputs: Array) -> None:
        """Update the states."""
        pair = (targets, outputs) if self._counted is None else self._counted(targets, outputs)
        if not len(pair[0]):
            return
        for metric in self._metrics.values():
            metric.update_state(*pair)

    def result(self) -> dict[str, float]:
        """What the metrics say, each a single number."""
        return {name: float(metric.result()) for name, metric in self._metrics.items()}


class ExplainedVariance(RunningFigures):
    """R2, the share of the variance of targets (N, numbers) that outputs explain, a mean over the numbers.

    Keras's subtracts two sums of float32, which of numbers far from 0, such as years, are nearly the same.

    Args:
        name: of the figure.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._count, self._first, self._sums = 0, np.zeros(0), np.zeros(0)

    def add(self, targets: Array, outputs: Array) -> None:
        """Sum up the targets, their squares, and the squared errors."""
        right, given = targets.astype(np.float64), outputs.astype(np.float64)
        if not self._count:
            self._first, self._sums = right[:1], np.zeros((3, *right.shape[1:]))
        moved = right - self._first
        self._sums += np.stack([moved, moved**2, (right - given) ** 2]).sum(axis=1)
        self._count += len(right)

    def result(self) -> dict[str, float]:
        """The mean share; 0 of a number that never changes."""
        total, squares, errors = self._sums
        spread = squares - total**2 / max(1, self._count)
        shares = 1 - np.divide(errors, spread, out=np.ones_like(errors), where=spread > 0)
        return {self._name: float(np.mean(shares))}


class WholeFigures(RunningFigures):
    """Figures that need all outputs at once, such as those of a ranking.

    Args:
        figures: of all targets and outputs.
    """

    def __init__(self, figures: Callable[[Array, Array], dict[str, float]]) -> None:
        self._figures = figures
        self._parts: list[tuple[Array, Array]] = []

    def add(self, targets: Array, outputs: Array) -> None:
        """Keep them."""
        self._parts.append((targets, outputs))

    def result(self) -> dict[str, float]:
        """The figures of all of them."""
        targets, outputs = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        return self._figures(targets, outputs)


class JoinedFigures(RunningFigures):
    """Figures of several kinds, in their order."""

    def __init__(self, *kinds: RunningFigures) -> None:
        self._kinds = kinds

    def add(self, targets: Array, outputs: Array) -> None:
        """Add to all."""
        for kind in self._kinds:
            kind.add(targets, outputs)

    def result(self) -> dict[str, float]:
        """The figures of all."""
        return {name: figure for kind in self._kinds for name, figure in kind.result().items()}
