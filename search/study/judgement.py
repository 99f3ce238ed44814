"""A judgement: the figures that a worker reports for one candidate."""

import math
from dataclasses import dataclass, replace

from compress.parameters import CompressionParameters
from objectives.accuracy.metric import Metric, Score
from search.study.conditions import Conditions


@dataclass(frozen=True)
class Judgement:
    """A worker's report on one candidate: its figures on the validation split, or the error that stopped it.

    Attributes:
        score: its figures on the validation split, None after an error.
        seconds: what it took.
        error: one line, None for a candidate that was judged.
        parameters: the values that the worker chose itself, None where they were given.
        conditions: how and where, None for finalists.
        worker: host and process, None for finalists.
        lost: why each worker that had the candidate before is gone.
        model: what became of the candidate, as ``model_bytes`` packs it, where that was asked for.
    """

    score: Score | None
    seconds: float
    error: str | None = None
    parameters: CompressionParameters | None = None
    conditions: Conditions | None = None
    worker: str | None = None
    lost: tuple[str, ...] = ()
    model: bytes | None = None

    @classmethod
    def failed(cls, seconds: float, error: str) -> "Judgement":
        """A candidate that could not be judged."""
        return cls(None, seconds, error)

    def checked(self, metric: Metric) -> "Judgement":
        """This judgement, or a failed one where a figure is missing or not finite: such a candidate has no rank."""
        if self.error is not None:
            return self
        figures = {} if self.score is None else self.score.figures(metric)
        broken = {name: figure for name, figure in figures.items() if figure is None or not math.isfinite(figure)}
        if self.score is not None and not broken:
            return self
        received = ", ".join(f"{name} {figure}" for name, figure in broken.items()) or "none"
        error = f"expected finite figures on the validation images, received {received}"
        return replace(Judgement.failed(self.seconds, error), worker=self.worker, lost=self.lost)
