"""FLOPs, parameters, bytes of the weights, peak memory and latency."""

from objectives.cost.quantity import Quantity, register

_BYTES = "2.5MB, 500kB, 1G, 2170000"

FLOPS = register(
    Quantity(
        name="flops",
        description="0.25, 25%, 4x, 403.6M, 1.2G, or a whole number of FLOPs",
        unit="FLOPs",
        single="FLOP",
        examples="403.6M, 1.2G, 500k, 613430000",
        shown="{:.2f} MFLOPs",
        header="FLOPs",
        column="{:.2f} M",
        values=lambda costs: costs.counted[:, 0],
        always=True,
    )
)
PARAMS = register(
    Quantity(
        name="params",
        description="parameters, frozen ones included: 0.25, 25%, 4x, 2.5M, or a whole number",
        unit="parameters",
        single="parameter",
        examples="2.5M, 500k, 2170000",
        shown="{:.3f} M parameters",
        header="Params",
        column="{:.2f} M",
        values=lambda costs: costs.counted[:, 1],
        always=True,
    )
)
SIZE = register(
    Quantity(
        name="size",
        description="bytes of all weights in float32, statistics included, what a file adds to them not:"
        " 0.25, 25%, 4x, 2.5MB, 500kB, or a whole number",
        unit="bytes",
        single="byte",
        examples=_BYTES,
        shown="{:.3f} MB",
        header="Size",
        column="{:.2f} MB",
        values=lambda costs: costs.counted[:, 2],
        kind="bytes",
        always=True,
    )
)
MEMORY = register(
    Quantity(
        name="memory",
        description="bytes of the activations alive where they are most, of one image in float32: written as size is",
        unit="bytes",
        single="byte",
        examples=_BYTES,
        shown="{:.1f} kB of memory",
        header="Memory",
        column="{:.1f} kB",
        values=lambda costs: costs.memory,
        scale=1e3,
        kind="bytes",
    )
)
LATENCY = register(
    Quantity(
        name="latency",
        description="time of one forward pass, measured as `latency` says: 0.25, 25%, 4x, 12ms, 800us, 0.5s",
        unit="microseconds",
        single="microsecond",
        examples="12ms, 800us, 0.5s",
        shown="{:.3f} ms",
        header="Latency",
        column="{:.3f} ms",
        values=lambda costs: costs.latency,
        scale=1e3,
        kind="time",
    )
)

STANDARD = (FLOPS, PARAMS, SIZE, MEMORY, LATENCY)
"""Quantities that have a field of their own in ``Cost``."""
