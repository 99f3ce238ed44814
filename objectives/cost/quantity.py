"""Quantities: the figures of a cost that a budget may limit, each registered by the file that defines it."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from numpy.typing import NDArray

from objectives.cost.cost import Cost

_FOLDER = "objectives.cost.quantities"
_FIRST = f"{_FOLDER}.standard"

_COUNT = {"k": 10**3, "m": 10**6, "g": 10**9, "": 1}
MULTIPLES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "count": _COUNT,
        "bytes": _COUNT | {"kb": 10**3, "mb": 10**6, "gb": 10**9},
        "time": {"us": 1, "ms": 10**3, "s": 10**6},
    }
)
"""Factor of an amount's unit, by the kind of quantity; times need a unit."""


class Costs(Protocol):
    """Costs of N candidates, of which the figures of quantities are made."""

    @property
    def kept(self) -> NDArray[Any]:
        """Channels that stay in every subgroup, (N, subgroups)."""

    @property
    def ranks(self) -> NDArray[Any]:
        """(In Rank, Out Rank) of every decomposable layer, 0 where it stays whole, (N, layers, 2)."""

    @property
    def counted(self) -> NDArray[Any]:
        """FLOPs, parameters, bytes of weights, MACs, (N, 4)."""

    @property
    def memory(self) -> NDArray[Any]:
        """Peak bytes of activations, (N,)."""

    @property
    def latency(self) -> NDArray[Any]:
        """Microseconds, (N,); 0 without a latency table."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A figure of a cost, with its names and formats.

    Attributes:
        name: its key in configurations, in files and in ``--json``.
        description: of the key in the configuration reference.
        unit: the unit, in the plural.
        single: the unit, in the singular.
        examples: absolute amounts as a user may write them.
        shown: format of the figure divided by ``scale``, in sentences.
        header: head of its column in tables.
        column: format of the figure divided by ``scale``, in columns.
        values: the figure of many candidates, shape (N,). It must not rise where a candidate keeps fewer channels.
        scale: what the figure is divided by to be shown.
        kind: the units that an amount may have, a key of ``MULTIPLES``.
        always: whether tables show it even where no budget limits it.
    """

    name: str
    description: str
    unit: str
    single: str
    examples: str
    shown: str
    header: str
    column: str
    values: Callable[[Costs], NDArray[Any]] = field(compare=False, repr=False)
    scale: float = 1e6
    kind: Literal["count", "bytes", "time"] = "count"
    always: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by name: another process looks it up."""
        return _named, (self.name,)

    def of(self, cost: Cost) -> float:
        """This figure of a cost."""
        return cost.figure(self.name)

    def exact(self, cost: Cost) -> str:
        """This figure of a cost without its unit: a whole number, times to a tenth."""
        return f"{self.of(cost):.{1 if self.kind == 'time' else 0}f}"

    def text(self, cost: Cost) -> str:
        """This figure of a cost, scaled and with its unit."""
        return self.shown.format(self.of(cost) / self.scale)

    def cell(self, figure: float) -> str:
        """A figure as a column of a table has it."""
        return self.column.format(figure / self.scale)


_registered: Final[dict[str, Quantity]] = {}


def register(quantity: Quantity) -> Quantity:
    """Make a quantity known by its name; returns it.

    Raises:
        ValueError: another one has the name.
    """
    if _registered.setdefault(quantity.name, quantity) != quantity:
        raise ValueError(f"quantity '{quantity.name}': expected a name of its own, received one that is taken")
    return quantity


@cache
def quantities() -> Mapping[str, Quantity]:
    """All quantities by name, in the order in which they are shown: the standard ones, then one file after the other.

    Every file in the folder ``quantities`` is imported; nothing else has to name it.
    """
    importlib.import_module(_FIRST)
    for module in pkgutil.iter_modules(importlib.import_module(_FOLDER).__path__):
        importlib.import_module(f"{_FOLDER}.{module.name}")
    return MappingProxyType(_registered)


def _named(name: str) -> Quantity:
    return quantities()[name]
