"""The cost of one model: FLOPs, parameters, bytes, peak memory, latency, and registered quantities."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from compress.errors import RunError


@dataclass(frozen=True)
class Cost:
    """Cost of one model.

    Attributes:
        flops: floating point operations of one forward pass on one image.
        params: weights that training changes where no layer is frozen: kernels and biases, but no statistics.
        bytes: of all weights, statistics included.
        macs: multiply-accumulates, each two of the FLOPs; None where they were not counted.
        memory: bytes of the tensors alive where they are most, of one image; None where it was not computed.
        latency: microseconds of one forward pass, as a latency table predicts it; None without a table.
        others: figures of the other registered quantities, by name.
    """

    flops: int
    params: int
    bytes: int
    macs: int | None = None
    memory: int | None = None
    latency: float | None = None
    others: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def size(self) -> int:
        """The bytes, under the name of the quantity ``size``."""
        return self.bytes

    def figure(self, quantity: str) -> float:
        """The figure of the quantity of that name.

        Raises:
            RunError: the cost was stored before this quantity was registered, or made without a latency table.
        """
        figure = self.others.get(quantity, getattr(self, quantity, None))
        if figure is None:
            raise RunError(
                f"expected costs with '{quantity}', received one that was made without a latency table, or stored "
                f"before it was registered: {self.stored()}; give CostModel a table, or search in a new run"
            )
        return float(figure)

    def stored(self) -> dict[str, Any]:
        """All figures in one mapping, as files and ``--json`` have them."""
        own = asdict(self)
        others = own.pop("others")
        return {**own, **others}

    @classmethod
    def restored(cls, figures: Mapping[str, Any]) -> Self:
        """The cost of what ``stored`` has returned."""
        own = {item.name for item in fields(cls)} - {"others"}
        others = {name: value for name, value in figures.items() if name not in own}
        return cls(**{name: value for name, value in figures.items() if name in own}, others=others)
