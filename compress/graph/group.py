"""Immutable results of a channel analysis: coupled channels, groups of them, and the layer calls of the graph."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelError

CoupledLabels = NDArray[np.int64]
"""A number for each channel of a tensor, in channel order, shape (channels,).

Channels with equal numbers, in one tensor or in several, are coupled: they are kept or removed together. These are the
final numbers, which a union-find (``coupling.Coupling``) gives once all layers of the model have been read.
"""


@dataclass(frozen=True)
class Group:
    """Layers whose output channels are coupled, and which are therefore pruned at one ratio.

    Attributes:
        name: the only producing layer, or the last elementwise merge of the chain that joins several.
        layers: the producing layers, in topological order.
        subgroups: the group's labels in parts, such that a tensor holds all labels of a part equally often. There is
            one part unless a merge joins only some of a layer's channels. Every part is pruned at the group's ratio, so
            that the cost follows from the ratio alone, whichever channels go.
    """

    name: str
    layers: tuple[str, ...]
    subgroups: tuple[CoupledLabels, ...]

    @property
    def channels(self) -> int:
        """Number of labels, which is the number of filters of each layer where the group has one subgroup."""
        return sum(subgroup.size for subgroup in self.subgroups)


@dataclass(frozen=True)
class Exclusion:
    """A layer or group that is left whole, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class WeightSpec:
    """A weight of a layer: its shape, and the channels that its axes follow.

    Attributes:
        name: the layer's attribute (``kernel``, ``gamma``, ...).
        shape: full shape before pruning.
        labels: for each axis the labels along it, or None where it follows no channels.
        learned: whether training changes it where its layer is not frozen, unlike statistics and states.
    """

    name: str
    shape: tuple[int, ...]
    labels: tuple[CoupledLabels | None, ...]
    learned: bool


@dataclass(frozen=True)
class Node:
    """One call of a layer as the graph sees it.

    Attributes:
        layer: its name.
        kind: its class name.
        inputs: labels of the channels of each input tensor.
        outputs: labels of the channels of each output tensor.
        input_axes: axis of each input tensor along which its channels lie.
        axes: axis of each output tensor along which its channels lie.
        input_shapes: shape of each input tensor, batch axis first (``None``).
        output_shapes: shape of each output tensor, batch axis first (``None``).
        reads: number of each input tensor in the model.
        writes: number of each output tensor.
        weights: every weight, or an empty tuple for a layer without any.
        pool_size: window of a pooling layer, else ``()``.
        repeated: True for the second and later calls of a shared layer, whose weights an earlier node counts.
        understood: False where the layer's effect on channels is not known; its weights then follow no channels.
        exact: False where it normalizes across channels: if some of them go, the others are computed otherwise.
        ruled_by_user: whether the user has registered the rule of its type, which keeps channels apart.
        inside: for a ``TimeDistributed``, the call of the layer in it at one time step.
    """

    layer: str
    kind: str
    inputs: tuple[CoupledLabels, ...]
    outputs: tuple[CoupledLabels, ...]
    input_axes: tuple[int, ...]
    axes: tuple[int, ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    weights: tuple[WeightSpec, ...]
    pool_size: tuple[int, ...] = ()
    repeated: bool = False
    understood: bool = True
    exact: bool = True
    ruled_by_user: bool = False
    inside: "Node | None" = None

    @property
    def output(self) -> CoupledLabels:
        """Labels of the channels of the first output tensor."""
        return self.outputs[0]

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the first output tensor, batch axis first (``None``)."""
        return self.output_shapes[0]

    def weight(self, name: str) -> WeightSpec | None:
        """The weight called ``name``, or None where the layer has none."""
        return next((weight for weight in self.weights if weight.name == name), None)

    def labels(self, role: str) -> CoupledLabels:
        """Labels of the channels of the first input (``"in"``) or of the first output (``"out"``)."""
        return self.inputs[0] if role == "in" else self.output


def positions(shape: tuple[int | None, ...]) -> int:
    """Spatial positions of a tensor of shape (batch, ..., channels).

    Raises:
        ModelError: a spatial size is not fixed.
    """
    spatial = shape[1:-1]
    if None in spatial:
        raise ModelError(
            f"expected the size of images, which the model leaves open, received a tensor of shape {shape}; give "
            "--input-size 224 or 224x160, or from Python analyse(model, image_size=(224, 160))"
        )
    return math.prod(size for size in spatial if size is not None)


@dataclass(frozen=True)
class Decomposable:
    """A convolution that Tucker-2 can replace.

    Attributes:
        layer: its name.
        in_channels: input channels of the unpruned kernel.
        out_channels: output channels of the unpruned kernel.
    """

    layer: str
    in_channels: int
    out_channels: int


KeptChannels = NDArray[np.bool_]
"""Whether the channels of each coupled label stay, shape (labels of the graph,)."""

Ratios = Mapping[str, float]
Ranks = Mapping[str, tuple[int, int]]
