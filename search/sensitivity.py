"""What a model loses where one of its parts alone is made smaller."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import optuna
from numpy.typing import NDArray

from search.probe import ORIGINAL, probes

_LEAST_DROP = 0.02
"""Of the largest drop: what is below is noise, and may be negative."""


@dataclass(frozen=True)
class Sensitivity:
    """Results of a sweep, by dimension of the space; both ranks of a layer have those of the pair.

    Attributes:
        drops: what the score of the unpruned model loses, judged by recalibration alone; noise may make it negative.
        kept: the fraction that was kept meanwhile.
        together: how many dimensions were made smaller at once, where there were several.
    """

    drops: Mapping[str, float]
    kept: Mapping[str, float]
    together: Mapping[str, int] = field(default_factory=dict)

    def robust_drops(self, dimensions: Iterable[str]) -> dict[str, float]:
        """Drops that are all positive: noise counts as a small one, what could not be judged as the middle one."""
        least = _LEAST_DROP * max([*self.drops.values(), 0.0]) or 1.0
        middle = median(self.drops.values())
        return {name: max(least, self.drops.get(name, middle)) for name in dimensions}

    def weights(self, dimensions: Sequence[str]) -> NDArray[np.float64]:
        """How much each dimension matters, relative to the mean of all, (D,).

        One of which a fraction f is kept is taken to lose w (1 - f)^2; dimensions that were made smaller together
        share what that lost.
        """
        drops = self.robust_drops(self.drops)
        known = {name: drop / self.together.get(name, 1) / (1 - self.kept[name]) ** 2 for name, drop in drops.items()}
        middle = median(known.values())
        weights = np.array([known.get(name, middle) for name in dimensions])
        return np.asarray(weights / weights.mean())


def sensitivity_of(study: optuna.Study) -> Sensitivity | None:
    """What the sweep of a study found; None where it has none, or where none of its probes succeeded."""
    found = probes(study)
    whole = found.get(ORIGINAL)
    if whole is None or whole.score is None:
        return None
    drops, kept, together = {}, {}, {}
    for probe in found.values():
        for dimension in probe.dimensions if probe.score is not None else ():
            drops[dimension] = whole.score - (probe.score or 0.0)
            kept[dimension] = probe.kept
            together[dimension] = len(probe.dimensions)
    return Sensitivity(drops, kept, together) if drops else None
