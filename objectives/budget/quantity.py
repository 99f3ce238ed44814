"""The costs that a budget may limit, and how they are called in configurations, tables and messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from objectives.cost.cost import Cost

_COUNT = {"k": 10**3, "m": 10**6, "g": 10**9, "": 1}
MULTIPLES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "count": _COUNT,
        "bytes": _COUNT | {"kb": 10**3, "mb": 10**6, "gb": 10**9},
        "time": {"us": 1, "ms": 10**3, "s": 10**6},
    }
)
"""What an amount's unit multiplies it with, by what is measured. Times need a unit: 12 could be any of them."""


@dataclass(frozen=True)
class Quantity:
    """One figure of a cost.

    Attributes:
        name: its key in a configuration and its attribute of ``Cost``.
        unit: what is counted.
        single: one of it.
        examples: absolute amounts as a user may write them.
        shown: format of the figure, divided by ``scale``.
        scale: what the figure is divided by to be shown.
        measured: which units an amount may have.
    """

    name: str
    unit: str
    single: str
    examples: str
    shown: str
    scale: float = 1e6
    measured: Literal["count", "bytes", "time"] = "count"

    def of(self, cost: Cost) -> float:
        """This figure of a cost."""
        return float(getattr(cost, self.name))

    def exact(self, cost: Cost) -> str:
        """This figure of a cost without its unit: a whole number, times to a tenth."""
        return f"{self.of(cost):.{1 if self.measured == 'time' else 0}f}"

    def text(self, cost: Cost) -> str:
        """This figure of a cost, scaled and with its unit."""
        return self.shown.format(self.of(cost) / self.scale)


FLOPS = Quantity("flops", "FLOPs", "FLOP", "403.6M, 1.2G, 500k, 613430000", "{:.2f} MFLOPs")
PARAMS = Quantity("params", "parameters", "parameter", "2.5M, 500k, 2170000", "{:.3f} M parameters")
SIZE = Quantity("size", "bytes", "byte", "2.5MB, 500kB, 1G, 2170000", "{:.3f} MB", measured="bytes")
MEMORY = Quantity("memory", "bytes", "byte", "2.5MB, 500kB, 1G, 2170000", "{:.1f} kB of memory", 1e3, measured="bytes")
LATENCY = Quantity("latency", "microseconds", "microsecond", "12ms, 800us, 0.5s", "{:.3f} ms", 1e3, measured="time")

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {quantity.name: quantity for quantity in (FLOPS, PARAMS, SIZE, MEMORY, LATENCY)}
)
"""By name, in the order in which they are shown."""
