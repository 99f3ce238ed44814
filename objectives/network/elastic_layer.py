"""A layer whose weights may have any number of channels, so that one traced network serves every candidate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

Axes = tuple[int | None, ...]

LayerWeights = Mapping[str, Mapping[str, Any]]
"""Weights by layer and attribute name."""

FACTORS = ("first", "core", "last")
"""Names of the kernels of a decomposed convolution, in their order."""


@dataclass(frozen=True)
class Weight:
    """A weight of a network.

    Attributes:
        variable: a ``tf.Variable``; where its shape has None, values of any length may be assigned.
        trainable: whether steps update it.
        regularizer: penalty of its value, or None.
        constraint: function that is applied to its value after every step, or None.
    """

    variable: Any
    trainable: bool
    regularizer: Callable[[Any], Any] | None = None
    constraint: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Common:
    """What all layers of a network have in common.

    Attributes:
        momentum: variable with the share that moving statistics keep in each training batch; 1 leaves them alone.
        policy: the Keras policy that they compute in; None leaves them their own.
        any_channels: whether weights of any number of channels can be assigned, or only those of the built model.
        decomposable: names of the convolutions that a candidate may have whole or as three.
    """

    momentum: Any
    policy: str | None = None
    any_channels: bool = True
    decomposable: frozenset[str] = frozenset()


class ElasticLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer in the place of another, with weights of any number of channels.

    Args:
        source: the layer to stand for; need not be built.
        common: what it shares with the other layers.
        shapes: shape of every weight by attribute name, None along channels.
    """

    def __init__(self, source: Any, common: Common, shapes: Mapping[str, Axes]) -> None:
        super().__init__(name=source.name, dtype=common.policy or source.dtype_policy)
        self._any_channels = common.any_channels
        # Behind a function: Keras would take a layer for a part of this one, with its weights and losses.
        self._behind: Callable[[], Any] = lambda: source
        self.weights_by_name = MappingProxyType({name: self._weight(name, axes) for name, axes in shapes.items()})

    @property
    def source(self) -> Any:
        """The layer that it stands for."""
        return self._behind()

    def _weight(self, name: str, axes: Axes) -> Weight:
        if not self._any_channels:
            axes = tuple(getattr(self.source, name).shape)
        variable = tf.Variable(
            tf.zeros([1 if size is None else size for size in axes]), shape=tf.TensorShape(axes), trainable=False
        )
        if name.startswith("moving_"):
            return Weight(variable, trainable=False)
        prefix = "kernel" if name in FACTORS else name
        if prefix == "kernel" and hasattr(self.source, "depthwise_regularizer"):
            prefix = "depthwise"
        penalties = (getattr(self.source, f"{prefix}_{kind}", None) for kind in ("regularizer", "constraint"))
        return Weight(variable, bool(self.source.trainable), *penalties)

    def assign(self, weights: LayerWeights) -> None:
        """Take over weights by layer and attribute name."""
        for attribute, weight in self.weights_by_name.items():
            weight.variable.assign(tf.cast(weights[self.name][attribute], tf.float32))

    def current(self) -> dict[str, dict[str, Any]]:
        """The weights as ``assign`` takes them."""
        return {self.name: {name: weight.variable.read_value() for name, weight in self.weights_by_name.items()}}

    def value(self, name: str) -> Any:
        """A weight in the precision that the layer computes with."""
        return tf.cast(self.weights_by_name[name].variable.read_value(), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The source's, with any number of channels where those may vary."""
        known = (*input_shape[:-1], input_shape[-1] or 1)
        shape = self.source.compute_output_shape(known)
        return (*shape[:-1], None) if self._any_channels else tuple(shape)

    def finished(self, outputs: Any) -> Any:
        """Outputs with the bias, through the activation."""
        if "bias" in self.weights_by_name:
            outputs = tf.nn.bias_add(outputs, self.value("bias"))
        return self.source.activation(outputs)


def kernel_and_bias(source: Any, kernel: Axes) -> dict[str, Axes]:
    """Shapes of the weights of a convolution or dense layer."""
    return {"kernel": kernel, "bias": (None,)} if source.use_bias else {"kernel": kernel}
