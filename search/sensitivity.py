"""What a model loses where one of its parts alone is made smaller."""

from collections.abc import Mapping
from dataclasses import dataclass

import optuna

from search.probe import ORIGINAL, probes


@dataclass(frozen=True)
class Sensitivity:
    """Results of a sweep, by dimension of the space; both ranks of a layer have those of the pair.

    Attributes:
        drops: what the score of the unpruned model loses, judged by recalibration alone; noise may make it negative.
        kept: the fraction that was kept meanwhile.
    """

    drops: Mapping[str, float]
    kept: Mapping[str, float]


def sensitivity_of(study: optuna.Study) -> Sensitivity | None:
    """What the sweep of a study found; None where it has none, or where none of its probes succeeded."""
    found = probes(study)
    whole = found.get(ORIGINAL)
    if whole is None or whole.score is None:
        return None
    drops, kept = {}, {}
    for probe in found.values():
        for dimension in probe.dimensions if probe.score is not None else ():
            drops[dimension] = whole.score - (probe.score or 0.0)
            kept[dimension] = probe.kept
    return Sensitivity(drops, kept) if drops else None
