"""``LayerRule``, which says what one type of layer does to channels, and parts that many rules share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from compress.cloning.nodes import Arguments
from compress.graph.coupling import Channels, Coupling
from compress.graph.group import KeptChannels, Node

Roles = tuple[str | None, ...]
"""Which channels the axes of a weight follow; leading axes that follow none may be left out.

``"in"``: the input's. ``"out"``: the output's. ``"group"``: those of the first group of a grouped convolution.
``"deep"``: the input's, each repeated once per depth multiplier. None: no channels.
"""

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerCall:
    """A layer or ``keras.ops`` operation at one place of the model, with the shapes it has there.

    Attributes:
        layer: the layer or operation.
        input_shapes: shape of each input tensor, batch axis first (``None``).
        output_shapes: shape of each output tensor.
        arguments: what it is called with; tensors are symbolic.
    """

    layer: Any
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    arguments: Arguments = ((), {})

    @property
    def output_shape(self) -> Shape:
        """Shape of the first output tensor."""
        return self.output_shapes[0]


Propagate = Callable[[LayerCall, Sequence[Channels], Coupling], tuple[Channels, ...]]
Obstacle = Callable[[LayerCall, Sequence[Channels]], str | None]
Resize = Callable[[Any, Node, KeptChannels], dict[str, Any]]
Rewrite = Callable[[Arguments, Node, KeptChannels], Arguments]


def no_obstacle(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """The rule always holds."""
    return None


@dataclass(frozen=True)
class LayerRule:
    """How a layer type treats channels.

    Attributes:
        propagate: channels of the inputs -> channels of each output; may unify or freeze labels.
        obstacle: why the rule does not hold for this call, which is then left whole with all that it touches.
        across: why the rule holds but not exactly: the call normalizes across the channels, over those that stay.
        weights: roles of the axes of each weight, by attribute name, as in "kernel" or "layer.kernel".
        resize: configuration values of the layer when only some channels are kept.
        rewrite: arguments of the call when only some channels are kept.
        produces: whether the type makes new channels, and so founds a group.
        scored: weight and axis role by which a channel's importance is measured.
        several: whether it takes more than one tensor.
        merges: whether the type joins several tensors channel by channel.
        any_axis: whether it also holds where the channels do not lie along the last axis.
    """

    propagate: Propagate
    obstacle: Obstacle = no_obstacle
    across: Obstacle = no_obstacle
    weights: Mapping[str, Roles] = field(default_factory=dict)
    resize: Resize | None = None
    rewrite: Rewrite | None = None
    produces: bool = False
    scored: tuple[str, str] | None = None
    several: bool = False
    merges: bool = False
    any_axis: bool = False


def pass_on(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """The output has the channels of the first input."""
    return (inputs[0],)


def pass_on_last(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
    """The output has the channels of the first input, along its last axis, however many axes it has."""
    return along_last_axis(call, inputs[0].labels)


def along_last_axis(call: LayerCall, labels: Any) -> tuple[Channels, ...]:
    """One output with these labels along its last axis."""
    return (Channels(labels, len(call.output_shape) - 1),)


def config_with(key: str) -> Resize:
    """Resizing by one configuration key that holds the number of output channels."""
    return lambda layer, node, kept: {key: int(kept[node.output].sum())}


def kept_shape(node: Node, kept: KeptChannels) -> tuple[int | None, ...]:
    """Shape of a node's first output when only some channels are kept, batch axis included."""
    shape = list(node.output_shape)
    shape[node.axes[0]] = int(kept[node.output].sum())
    return tuple(shape)
