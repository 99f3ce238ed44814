"""The sensitivity sweep: what the model loses when one part alone is made smaller."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

import numpy as np
import optuna
from numpy.typing import NDArray

from compress.graph.choices import Bounds
from compress.parameters import CompressionParameters
from search.space.space import SearchSpace

KEPT_CHANNELS, KEPT_RANKS = (0.5,), (0.3, 0.2, 0.1)
"""What a probe keeps of a group, and of both ranks of a layer: the first that changes anything.

Half of both ranks would make no 1x1 convolution cheaper, and 0.3 none that has many more channels on one side.
"""

UNPRUNED = "unpruned"
_KEY = "probe: "


@dataclass(frozen=True)
class Part:
    """A group, or a decomposable layer with both its ranks.

    Attributes:
        name: as messages call it.
        dimensions: of the space, that are made smaller together.
        kept: the fraction that a probe keeps of each; 1 for the model as it is.
    """

    name: str
    dimensions: tuple[str, ...]
    kept: float

    def wanted(self, space: SearchSpace, fraction: float | None = None) -> dict[str, float]:
        """Preferences for all other parts whole, and so much of this one, by default what a probe keeps."""
        kept = self.kept if fraction is None else fraction
        return dict.fromkeys(space.dimensions, 1.0) | dict.fromkeys(self.dimensions, kept)

    def parameters(self, space: SearchSpace) -> CompressionParameters:
        """Parameters of its probe."""
        return space.decode(space.row(self.wanted(space)))


WHOLE = Part(UNPRUNED, (), 1.0)
"""The model as it is."""


def parts_of(space: SearchSpace) -> list[Part]:
    """All parts of a space that can be made smaller alone; what choices keep or fix is none of them."""
    groups = [
        (group.name, (f"keep:{group.name}",), _probed(bounds))
        for group, bounds in zip(space.groups, space.arrays.ratio_bounds, strict=True)
    ]
    layers = [
        (f"ranks of {layer.layer}", (f"rank_in:{layer.layer}", f"rank_out:{layer.layer}"), KEPT_RANKS)
        for layer in space.layers
    ]
    parts = (_part(space, name, dimensions, kept) for name, dimensions, kept in (*groups, *layers))
    return [part for part in parts if part is not None]


def _probed(bounds: Bounds) -> tuple[float, ...]:
    """Fractions that a probe of a group tries: the usual, or what its bounds allow; at last the least they allow."""
    least = 1 - bounds.most
    usual = tuple(max(fraction, least) for fraction in KEPT_CHANNELS)
    return (*usual, least) if bounds.least else usual


def _part(space: SearchSpace, name: str, dimensions: tuple[str, ...], fractions: tuple[float, ...]) -> Part | None:
    free = tuple(dimension for dimension in dimensions if dimension in space.dimensions)
    parts = (Part(name, free, kept) for kept in fractions if free)
    return next((part for part in parts if part.parameters(space) != space.largest), None)


@dataclass(frozen=True)
class Probe:
    """The outcome of a probe: one part made smaller alone.

    Attributes:
        part: name of the part, or ``unpruned``.
        dimensions: of the part.
        kept: fraction of it that was kept.
        score: what is maximized, None after an error.
        seconds: the worker's time.
        error: why it has no score, else None.
    """

    part: str
    dimensions: tuple[str, ...]
    kept: float
    score: float | None
    seconds: float
    error: str | None = None


def store_probe(study: optuna.Study, probe: Probe) -> None:
    """Keep a probe with its study."""
    study.set_user_attr(_KEY + probe.part, json.dumps(asdict(probe)))


def probes(study: optuna.Study) -> Mapping[str, Probe]:
    """Every probe that was made, by its part."""
    entries = [json.loads(text) for key, text in study.user_attrs.items() if key.startswith(_KEY)]
    return {entry["part"]: Probe(**{**entry, "dimensions": tuple(entry["dimensions"])}) for entry in entries}


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
    """Results of a study's sweep; None where it has none, or where none of its probes succeeded."""
    by_part = probes(study)
    whole = by_part.get(UNPRUNED)
    if whole is None or whole.score is None:
        return None
    drops, kept, together = {}, {}, {}
    for probe in by_part.values():
        for dimension in probe.dimensions if probe.score is not None else ():
            drops[dimension] = whole.score - (probe.score or 0.0)
            kept[dimension] = probe.kept
            together[dimension] = len(probe.dimensions)
    return Sensitivity(drops, kept, together) if drops else None
