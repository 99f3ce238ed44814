"""A judgement: the figures that a worker reports for one candidate."""

import math
from dataclasses import dataclass, replace

from compress.parameters import CompressionParameters
from objectives.accuracy.metric import Metric
from search.study.conditions import Conditions

LOSS, ACCURACY, METRIC, VALUE = "loss", "accuracy", "metric", "value"


@dataclass(frozen=True)
class Judgement:
    """What a worker says of a candidate: its figures on the validation split, or the error that stopped it.

    Attributes:
        accuracy: top-1 on the validation split, None after an error.
        loss: cross-entropy there, in nats, None after an error.
        seconds: what it took.
        error: one line, None for a candidate that was judged.
        parameters: the values that the worker chose itself, None where they were given.
        value: of a metric that is neither accuracy nor loss, None for these and after an error.
        conditions: how and where, None for finalists.
        worker: host and process, None for finalists.
        lost: why each worker that had the candidate before is gone.
        model: what became of the candidate, as ``model_bytes`` packs it, where that was asked for.
    """

    accuracy: float | None
    loss: float | None
    seconds: float
    error: str | None = None
    parameters: CompressionParameters | None = None
    value: float | None = None
    conditions: Conditions | None = None
    worker: str | None = None
    lost: tuple[str, ...] = ()
    model: bytes | None = None

    @classmethod
    def failed(cls, seconds: float, error: str) -> "Judgement":
        """A candidate that could not be judged."""
        return cls(None, None, seconds, error)

    def checked(self, metric: Metric) -> "Judgement":
        """The same, but failed where a figure is missing or not finite: such a candidate must not be ranked."""
        if self.error is not None:
            return self
        figures = {ACCURACY: self.accuracy, LOSS: self.loss} | ({metric.name: self.value} if metric.is_extra else {})
        broken = {name: figure for name, figure in figures.items() if figure is None or not math.isfinite(figure)}
        if not broken:
            return self
        said = ", ".join(f"{name} {figure}" for name, figure in broken.items())
        error = f"expected finite figures on the validation images, received {said}"
        return replace(Judgement.failed(self.seconds, error), worker=self.worker, lost=self.lost)
