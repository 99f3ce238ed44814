"""Durations of the parts of a search, estimated from a few trials, and as text."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from configs.schema.search import RungsConfig

if TYPE_CHECKING:  # It loads TensorFlow, and commands that only read say durations, too.
    from zoo.training.training import TrainingSettings


@dataclass(frozen=True)
class Pace:
    """How fast a worker trains and scores a model.

    Attributes:
        flops: of the model.
        step: seconds of a training step, forward and backward.
        scoring: seconds of recalibration and of scoring the validation images.
    """

    flops: float
    step: float
    scoring: float


@dataclass(frozen=True)
class Durations:
    """Seconds of trainings and trials, by the pace of two models; of one between them on the line through both.

    Attributes:
        small: pace of a candidate.
        large: pace of the original.
        batch_size: images of a step.
        images: in the training split.
        tracing: seconds that a training takes before its first step.
    """

    small: Pace
    large: Pace
    batch_size: int
    images: int
    tracing: float

    @classmethod
    def measured(
        cls,
        trial: float,
        scoring: tuple[float, float],
        flops: tuple[float, float],
        *,
        steps: int,
        batch_size: int,
        images: int,
        tracing: float,
    ) -> "Durations":
        """Durations by what one trial took, and the scoring of the same candidate and of the original.

        A step of the original takes as many times longer as its scoring does.

        Args:
            trial: seconds of a trial, its scoring among them.
            scoring: seconds of scoring the candidate and the original, without a step.
            flops: of the candidate and of the original.
            steps: of the trial, at least one.
            batch_size: images of a step.
            images: in the training split.
            tracing: seconds that a training takes before its first step.
        """
        step = max(0.0, trial - scoring[0]) / steps
        small = Pace(flops[0], step, scoring[0])
        large = Pace(flops[1], step * scoring[1] / scoring[0], scoring[1])
        return cls(small, large, batch_size, images, tracing)

    def training(self, training: "TrainingSettings", flops: float) -> float:
        """Seconds of a training of a model of so many FLOPs, its validations among them, at most: it may end early."""
        pace = self._pace(flops)
        steps = math.ceil(self.images / training.batch_size)
        epoch = steps * pace.step * training.batch_size / self.batch_size + pace.scoring
        return self.tracing + training.epochs * epoch

    def trial(self, steps: int, rungs: RungsConfig) -> float:
        """Mean seconds of a trial: all take so many steps, one in ``rungs.one_in`` of each rung goes on to the next."""
        seconds, share, before = steps * self.small.step + self.small.scoring, 1.0, steps
        for after in rungs.steps:
            share /= rungs.one_in
            seconds += share * ((after - before) * self.small.step + self.small.scoring)
            before = after
        return seconds

    def _pace(self, flops: float) -> Pace:
        small, large = self.small, self.large
        part = 1.0 if large.flops <= small.flops else (flops - small.flops) / (large.flops - small.flops)
        step = small.step + part * (large.step - small.step)
        return Pace(flops, step, small.scoring + part * (large.scoring - small.scoring))


def time_text(seconds: float) -> str:
    """So many seconds as a person would say them: ``90 s``, ``14 min``, ``2.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def left_text(seconds: float) -> str:
    """What is added to a line on the time that is left; nothing of less than a minute."""
    return f"; about {time_text(seconds)} left" if seconds >= 60 else ""
