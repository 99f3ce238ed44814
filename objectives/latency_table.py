"""Latency of layers as a function of their channels, measured once, and kept as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

from compress.errors import ModelError, RunError
from objectives.latency import LatencySettings
from objectives.latency_geometry import Geometry


@dataclass(frozen=True)
class Law:
    """Microseconds of a call: base + per_input x in + per_output x out + per_pair x in x out.

    No coefficient is negative, so that fewer channels never take longer.
    """

    base: float
    per_input: float
    per_output: float
    per_pair: float


@dataclass(frozen=True)
class LatencyTable:
    """Laws by geometry; a model takes ``overhead`` + ``scale`` x the sum over its calls.

    Attributes:
        settings: how it was measured.
        laws: geometry of a call and its law.
        overhead: microseconds of what has no law.
        scale: how much longer calls take in a model than alone, fitted to models that were built.
        original: microseconds of the original model, as measured: what fractions of a budget are of.
    """

    settings: LatencySettings
    laws: tuple[tuple[Geometry, Law], ...]
    overhead: float = 0.0
    scale: float = 1.0
    original: float = 0.0

    def law(self, geometry: Geometry) -> Law:
        """The law of a call.

        Raises:
            ModelError: the table was measured for another model.
        """
        found = self._by_geometry.get(geometry)
        if found is None:
            raise ModelError(
                f"expected a latency table of this model, received one without the law of a {geometry.kind} of"
                f" {geometry.window} that maps {geometry.inputs} to {geometry.outputs}; measure it anew"
            )
        return found

    @cached_property
    def _by_geometry(self) -> Mapping[Geometry, Law]:
        return dict(self.laws)

    def write(self, path: Path) -> None:
        """Write the table as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "LatencyTable":
        """The table of a JSON file.

        Raises:
            RunError: it cannot be read as one.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            laws = tuple((_geometry(geometry), Law(**law)) for geometry, law in found.pop("laws"))
            return cls(LatencySettings(**found.pop("settings")), laws, **found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(
                f"'{path}' cannot be read as a latency table: {error}; delete it, and the next search measures anew"
            ) from error


def _geometry(given: Mapping[str, object]) -> Geometry:
    tuples = {item.name for item in fields(Geometry) if item.name in ("window", "inputs", "outputs")}
    return Geometry(**{name: tuple(value) if name in tuples else value for name, value in given.items()})  # type: ignore[arg-type]
