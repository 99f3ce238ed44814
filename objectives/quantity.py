"""The costs that a budget may limit, and how they are called in configurations, tables and messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from objectives.cost import Cost


@dataclass(frozen=True)
class Quantity:
    """One figure of a cost.

    Attributes:
        name: its key in a configuration and its attribute of ``Cost``.
        unit: what is counted.
        single: one of it.
        examples: absolute amounts as a user may write them.
        abbreviated: format of the figure in millions.
        in_bytes: whether an amount may end in B: 2.5MB.
    """

    name: str
    unit: str
    single: str
    examples: str
    abbreviated: str
    in_bytes: bool = False

    def of(self, cost: Cost) -> int:
        """This figure of a cost."""
        return int(getattr(cost, self.name))

    def text(self, cost: Cost) -> str:
        """This figure of a cost, in millions and with its unit."""
        return self.abbreviated.format(self.of(cost) / 1e6)


FLOPS = Quantity("flops", "FLOPs", "FLOP", "403.6M, 1.2G, 500k, 613430000", "{:.2f} MFLOPs")
PARAMS = Quantity("params", "parameters", "parameter", "2.5M, 500k, 2170000", "{:.3f} M parameters")
SIZE = Quantity("size", "bytes", "byte", "2.5MB, 500kB, 1G, 2170000", "{:.3f} MB", in_bytes=True)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({quantity.name: quantity for quantity in (FLOPS, PARAMS, SIZE)})
"""By name, in the order in which they are shown."""
