"""Parts and results of the sensitivity sweep: how much score the model loses when one part alone is made smaller."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean
from typing import Self

import numpy as np
import optuna
from numpy.typing import NDArray

from compress.graph.choices import Bounds
from compress.parameters import CompressionParameters
from search.samplers.surrogate import Hyperparameters, PriorLosses
from search.space.space import LOWEST_PREFERENCE, SearchSpace

KEPT_CHANNELS, KEPT_RANKS = (0.5,), (0.3, 0.2, 0.1)
"""Fractions that a probe keeps of a group's channels, and of both ranks of a layer: the first that changes the model.

Half of both ranks would make no 1x1 convolution cheaper, and 0.3 none with many more channels on one side.
"""

UNPRUNED = "unpruned"
Floats = NDArray[np.float64]
_KEY = "probe: "


@dataclass(frozen=True)
class Part:
    """A group, or a decomposable layer with both its ranks.

    Attributes:
        name: for messages.
        dimensions: of the space, which are made smaller together.
        kept: the fraction that a probe keeps of each; 1 for the unchanged model.
    """

    name: str
    dimensions: tuple[str, ...]
    kept: float

    @property
    def probe(self) -> "ProbeKey":
        """What tells its probe from others of the study."""
        return self.name, self.kept

    def parameters(self, space: SearchSpace) -> CompressionParameters:
        """Parameters of its probe: all other parts whole."""
        return space.decode(space.row(dict.fromkeys(space.dimensions, 1.0) | dict.fromkeys(self.dimensions, self.kept)))

    def smallest(self, space: SearchSpace) -> "Part | None":
        """This part made as small as the space allows, None where its probe does so."""
        parameters = replace(self, kept=LOWEST_PREFERENCE).parameters(space)
        wanted = space.encode(parameters)
        kept = round(mean(wanted[name] for name in self.dimensions), 6)
        return None if parameters == self.parameters(space) else replace(self, kept=kept)


ProbeKey = tuple[str, float]
"""Name of a part, and the fraction that was kept of it."""

WHOLE = Part(UNPRUNED, (), 1.0)
"""The unchanged model, whose score the others are compared with."""


def parts_of(space: SearchSpace) -> list[Part]:
    """All parts of a space that can be made smaller; without those that a choice per layer fixes."""
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
    """Fractions to try for a probe of a group: the usual ones within its bounds, then the smallest that these allow."""
    least = 1 - bounds.most
    usual = tuple(max(fraction, least) for fraction in KEPT_CHANNELS)
    return (*usual, least) if bounds.least else usual


def _part(space: SearchSpace, name: str, dimensions: tuple[str, ...], fractions: tuple[float, ...]) -> Part | None:
    free = tuple(dimension for dimension in dimensions if dimension in space.dimensions)
    parts = (Part(name, free, kept) for kept in fractions if free)
    return next((part for part in parts if part.parameters(space) != space.largest), None)


@dataclass(frozen=True)
class Probe:
    """The result of one evaluation of the sweep.

    Attributes:
        part: name of the part, or ``unpruned``.
        dimensions: of the part.
        kept: fraction of it that was kept.
        score: the value that the study maximizes; None after an error.
        seconds: the worker's time.
        error: why it has no score, else None.
        tries: how often it was made; the last counts.
    """

    part: str
    dimensions: tuple[str, ...]
    kept: float
    score: float | None
    seconds: float
    error: str | None = None
    tries: int = 1


def store_probe(study: optuna.Study, probe: Probe) -> None:
    """Keep a probe with its study."""
    study.set_user_attr(f"{_KEY}{probe.part} at {probe.kept:g}", json.dumps(asdict(probe)))


def probes(study: optuna.Study) -> Mapping[ProbeKey, Probe]:
    """Every probe that was made, by its part and what it kept of that."""
    entries = [json.loads(text) for key, text in study.user_attrs.items() if key.startswith(_KEY)]
    made = [Probe(**{**entry, "dimensions": tuple(entry["dimensions"])}) for entry in entries]
    return {(probe.part, probe.kept): probe for probe in made}


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
