"""How much score the model loses when one part alone is made smaller, by the probes of the sensitivity sweep."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import optuna
from numpy.typing import NDArray

from search.samplers.probes import WHOLE, probes
from search.samplers.surrogate import Hyperparameters, PriorLosses

Floats = NDArray[np.float64]

_LEAST_DROP = 0.02
"""Of the largest drop of the first probes: what is below is noise, and may be negative."""

_POWERS = (2.0, 8.0)
"""The least and the most by which a loss grows with what is removed; the least where one probe alone tells of it."""

_REST = Hyperparameters(linear=0.03, quadratic=0.03, joint=0.1)
"""Variances that the losses are expected to leave: much less than where nothing was measured."""

_COMPARED = 0.3
"""Fraction kept at which dimensions are compared."""


@dataclass(frozen=True)
class Loss:
    """What the score loses by one dimension: of which a fraction f is kept, drop ((1 - f) / (1 - kept))^power.

    Attributes:
        drop: what it lost where ``kept`` of it was kept.
        kept: a fraction that was judged.
        power: how it grows with what is removed.
    """

    drop: float
    kept: float
    power: float = _POWERS[0]

    def at(self, kept: Floats | float) -> Floats:
        """The loss where such fractions are kept."""
        return np.asarray(self.drop * ((1 - np.asarray(kept)) / (1 - self.kept)) ** self.power)

    @classmethod
    def through(cls, drops: Mapping[float, float], together: int) -> Self:
        """The loss that goes through the drops of the largest and of the smallest fraction, a share of them.

        Where the smallest costs no more than the square of what is removed, it has reached what can be lost: the
        largest alone counts.

        Args:
            drops: positive, by the fractions that were kept.
            together: how many dimensions were made smaller at once.
        """
        kept, smallest = max(drops), min(drops)
        if smallest < kept:
            power = math.log(drops[smallest] / drops[kept]) / math.log((1 - smallest) / (1 - kept))
            if power > _POWERS[0]:
                return cls(drops[smallest] / together, smallest, min(power, _POWERS[1]))
        return cls(drops[kept] / together, kept)


@dataclass(frozen=True)
class Sensitivity:
    """Results of a sweep.

    Attributes:
        losses: by dimension of the space.
    """

    losses: Mapping[str, Loss]

    def of(self, dimensions: Sequence[str]) -> list[Loss]:
        """The loss of each dimension; of one that could not be judged, that of the middle one."""
        middle = sorted(self.losses.values(), key=lambda loss: float(loss.at(_COMPARED)))[len(self.losses) // 2]
        return [self.losses.get(name, middle) for name in dimensions]

    def prior(self, dimensions: Sequence[str]) -> PriorLosses:
        """The losses as a guess for a surrogate, scaled to a mean that squares of weight 1 have at fractions of 0.3."""
        losses = self.of(dimensions)
        powers = np.array([loss.power for loss in losses])
        weights = np.array([float(loss.at(0.0)) for loss in losses])
        scale = (1 - _COMPARED) ** 2 / (weights * (1 - _COMPARED) ** powers).mean()
        return PriorLosses(scale * weights[None], powers[None], _REST)


def sensitivity_of(study: optuna.Study) -> Sensitivity | None:
    """Results of a study's sweep; None where it has none, or where none of its probes succeeded.

    Drops are those of the score by recalibration alone. Noise may make them negative: at least a fiftieth of the
    largest is taken for each, and where nothing is lost at all, the same.
    """
    made = probes(study)
    whole = made.get(WHOLE.probe)
    if whole is None or whole.score is None:
        return None
    drops: dict[tuple[str, ...], dict[float, float]] = {}
    for probe in made.values():
        if probe.score is not None and probe.dimensions:
            drops.setdefault(probe.dimensions, {})[probe.kept] = whole.score - probe.score
    if not drops:
        return None
    least = _least(drops.values())
    losses = {
        name: Loss.through({kept: max(least, drop) for kept, drop in by_kept.items()}, len(dimensions))
        for dimensions, by_kept in drops.items()
        for name in dimensions
    }
    return Sensitivity(losses)


def _least(drops: Collection[Mapping[float, float]]) -> float:
    """What drops count as that noise made smaller, or negative, from those by fractions kept; 1 where there are none.

    By those at the largest fractions, if any of them is positive: the others have losses of another size.
    """
    first = max(by_kept[max(by_kept)] for by_kept in drops)
    largest = first if first > 0 else max(drop for by_kept in drops for drop in by_kept.values())
    return _LEAST_DROP * largest if largest > 0 else 1.0
