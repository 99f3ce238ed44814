"""Parts that the sensitivity sweep makes smaller, one at a time, and its probes: their results, kept with the study."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import mean

import optuna

from compress.graph.choices import Bounds
from compress.parameters import CompressionParameters
from search.space.space import LOWEST_PREFERENCE, SearchSpace

KEPT_CHANNELS, KEPT_RANKS = (0.5,), (0.3, 0.2, 0.1)
"""Fractions that a probe keeps of a group's channels, and of both ranks of a layer: the first that changes the model.

Half of both ranks would make no 1x1 convolution cheaper, and 0.3 none with many more channels on one side.
"""

UNPRUNED = "unpruned"
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
