"""Durations of the parts of a search, estimated from a few trials, and as text."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapreplace
from typing import TYPE_CHECKING

from configs.schema.search import RungsConfig

if TYPE_CHECKING:  # It loads TensorFlow, and commands that only read say durations, too.
    from zoo.training.training import TrainingSettings


@dataclass(frozen=True)
class Pace:
    """How fast a worker trains and scores a model.

    Attributes:
        flops: FLOPs of the model.
        step: seconds of one training step.
        scoring: seconds of recalibrating and scoring as in a trial.
    """

    flops: float
    step: float
    scoring: float


@dataclass(frozen=True)
class Durations:
    """Estimates durations of trainings and trials, by linear interpolation in FLOPs between the pace of two models.

    Attributes:
        small: pace of a candidate.
        large: pace of the original.
        batch_size: images of one step.
        images: number of images in the training split.
        validated: validation images of a training, for each one that a trial is scored on.
        tracing: seconds before the first step of a training.
    """

    small: Pace
    large: Pace
    batch_size: int
    images: int
    validated: float
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
        validated: float,
        tracing: float,
    ) -> "Durations":
        """Durations from the measured seconds of one trial, and of scoring its candidate and the original.

        The ratio of the step times of both models is assumed to be that of their scoring times.

        Args:
            trial: seconds of a trial, including its scoring.
            scoring: seconds of scoring the candidate and the original, without training.
            flops: FLOPs of the candidate and of the original.
            steps: training steps of the trial, at least one.
            batch_size: images of one step.
            images: number of images in the training split.
            validated: validation images of a training, for each one that a trial is scored on.
            tracing: seconds before the first step of a training.
        """
        step = max(0.0, trial - scoring[0]) / steps
        small = Pace(flops[0], step, scoring[0])
        large = Pace(flops[1], step * scoring[1] / scoring[0], scoring[1])
        return cls(small, large, batch_size, images, validated, tracing)

    def training(self, training: "TrainingSettings", flops: float) -> float:
        """Most seconds of training a model with these FLOPs, validation included; it may end early."""
        pace = self._pace(flops)
        steps = math.ceil(self.images / training.batch_size)
        epoch = steps * pace.step * training.batch_size / self.batch_size + pace.scoring * self.validated
        return self.tracing + training.epochs * epoch

    def trial(self, steps: int, rungs: RungsConfig) -> float:
        """Mean seconds of a trial, ``steps`` those of the first rung; one in ``rungs.one_in`` goes on at each rung."""
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


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Seconds until the last of some tasks ends, each begun in turn as soon as one of the workers is free."""
    ends = [0.0] * workers
    for duration in seconds:
        heapreplace(ends, ends[0] + duration)
    return max(ends)


def time_text(seconds: float) -> str:
    """A duration for people: ``90 s``, ``14 min``, ``2.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def left_text(seconds: float) -> str:
    """The end of a progress line with the time left, ``; about 14 min left``; empty below a minute."""
    return f"; about {time_text(seconds)} left" if seconds >= 60 else ""
