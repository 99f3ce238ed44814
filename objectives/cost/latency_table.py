"""Latency of layers as a function of their channels, measured once, and kept as JSON."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from compress.disk.whole_file import write_whole
from compress.errors import ModelError, RunError
from compress.graph.group import Node
from objectives.cost.latency import LatencySettings

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Geometry:
    """A layer call without its channels: the key of a law.

    Attributes:
        kind: class name of the layer.
        window: of a kernel or a pooling.
        inputs: spatial size of the first input.
        outputs: spatial size of the first output.
        groups: of a convolution; output channels per input channel of a depthwise one; inputs of a merge.
    """

    kind: str
    window: Sizes
    inputs: Sizes
    outputs: Sizes
    groups: int = 1

    @classmethod
    def of(cls, node: Node) -> "Geometry | None":
        """The geometry of a call, None for a type that has no law of its own or whose size is not fixed."""
        # A merge with a single input, such as adding a number, is too quick for a law.
        known = node.kind in LAYERS and node.understood and not node.ruled_by_user
        if not known or (node.kind in MERGES and len(node.inputs) < 2):
            return None
        outputs = node.output_shape[1:-1]
        # Inputs of a merge may be of one position each, as those of an attention are: the largest counts.
        inputs = outputs if node.kind in MERGES else node.input_shapes[0][1:-1]
        if None in inputs or None in outputs:
            return None
        kernel = node.weight("kernel") or node.weight("depthwise_kernel")
        window = tuple(kernel.shape[: len(inputs)]) if kernel else tuple(node.pool_size)
        return cls(node.kind, window, _known(inputs), _known(outputs), _groups(node))

    @property
    def parts(self) -> tuple["Geometry", "Geometry", "Geometry"]:
        """Geometries of the three convolutions that decomposition replaces a convolution by."""
        point = (1,) * len(self.window)
        first, last = (Geometry(self.kind, point, sizes, sizes) for sizes in (self.inputs, self.outputs))
        return first, self, last

    @property
    def mixes(self) -> bool:
        """Whether the law depends on output channels as well as on input channels."""
        return self.kind in MIXING

    def model(self, channels: tuple[int, int]) -> Any:
        """A model of one such call with (input, output) channels."""
        import keras  # Reading a table does without it.

        count = self.groups if self.kind in MERGES else 1
        inputs = [keras.Input((*self.inputs, channels[0])) for _ in range(count)]
        return keras.Model(inputs, LAYERS[self.kind](self, channels[1])(inputs if count > 1 else inputs[0]))


def _known(sizes: tuple[int | None, ...]) -> Sizes:
    return tuple(size or 0 for size in sizes)


def _groups(node: Node) -> int:
    if node.kind in MERGES:
        return len(node.inputs)
    kernel = node.weight("kernel")
    if node.kind == "DepthwiseConv2D":
        return node.output.size // node.inputs[0].size
    return node.inputs[0].size // kernel.shape[-2] if kernel is not None else 1


def _strides(geometry: Geometry) -> tuple[list[int], str]:
    """Strides and padding that lead from the input's to the output's size."""
    sizes = list(zip(geometry.inputs, geometry.outputs, geometry.window, strict=True))
    for padding in ("same", "valid"):
        lost = [window - 1 if padding == "valid" else 0 for window in geometry.window]
        strides = [
            next((s for s in range(1, size + 1) if math.ceil((size - less) / s) == out), None)
            for (size, out, _), less in zip(sizes, lost, strict=True)
        ]
        if None not in strides and len(set(strides)) == 1:
            return [stride or 1 for stride in strides], padding
    # With dilation, for example: strides that give nearly as many outputs.
    return [max(1, round(sizes[0][0] / sizes[0][1]))] * len(sizes), "same"


def _convolution(geometry: Geometry, filters: int) -> Any:
    strides, padding = _strides(geometry)
    groups = {"groups": geometry.groups} if geometry.groups > 1 else {}
    layer = _class(geometry.kind)
    return layer(filters, geometry.window, strides=strides, padding=padding, activation="relu", **groups)


def _depthwise(geometry: Geometry, filters: int) -> Any:
    strides, padding = _strides(geometry)
    return _class(geometry.kind)(
        geometry.window, strides=strides, padding=padding, activation="relu", depth_multiplier=geometry.groups
    )


def _pooling(geometry: Geometry, filters: int) -> Any:
    strides, padding = _strides(geometry)
    return _class(geometry.kind)(geometry.window, strides=strides, padding=padding)


def _dense(geometry: Geometry, units: int) -> Any:
    return _class(geometry.kind)(units)


def _plain(geometry: Geometry, filters: int) -> Any:
    return _class(geometry.kind)()


def _relu(geometry: Geometry, filters: int) -> Any:
    return _class("ReLU")()


def _class(kind: str) -> Any:
    import keras

    return getattr(keras.layers, kind)


MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
MIXING = ("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D", "Dense")
FUSED = ("BatchNormalization", "ReLU", "LeakyReLU", "Activation")
"""LiteRT works them into the convolution before; Keras calls them one by one."""

LAYERS: Mapping[str, Callable[[Geometry, int], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"), _convolution),
        "DepthwiseConv2D": _depthwise,
        "Dense": _dense,
        **dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), _pooling),
        **dict.fromkeys(("GlobalAveragePooling2D", "GlobalMaxPooling2D", *MERGES, "BatchNormalization"), _plain),
        **dict.fromkeys(("ReLU", "LeakyReLU", "Activation"), _relu),
    }
)
"""Makes a layer of this geometry with a number of filters, by class name."""


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
        original: measured microseconds of the original model, which fractions of a budget refer to.
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
        law = self._by_geometry.get(geometry)
        if law is None:
            raise ModelError(
                f"expected a latency table of this model, received one without the law of a {geometry.kind} of"
                f" {geometry.window} that maps {geometry.inputs} to {geometry.outputs}; measure it anew"
            )
        return law

    @cached_property
    def _by_geometry(self) -> Mapping[Geometry, Law]:
        return dict(self.laws)

    def write(self, path: Path) -> None:
        """Write the table as JSON; raises RunError where that fails."""
        write_whole(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "LatencyTable":
        """The table of a JSON file.

        Raises:
            RunError: it cannot be read as one.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            laws = tuple((_geometry(geometry), Law(**law)) for geometry, law in stored.pop("laws"))
            return cls(LatencySettings(**stored.pop("settings")), laws, **stored)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(
                f"'{path}' cannot be read as a latency table: {error}; delete it, and the next search measures anew"
            ) from error


def _geometry(given: Mapping[str, object]) -> Geometry:
    tuples = {item.name for item in fields(Geometry) if item.name in ("window", "inputs", "outputs")}
    return Geometry(**{name: tuple(value) if name in tuples else value for name, value in given.items()})  # type: ignore[arg-type]
