"""Elastic layers: layers whose weights may have any number of channels, so that all candidates share one network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from compress.graph.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX

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
    """Settings that all layers of a network share.

    Attributes:
        momentum: variable with the momentum of moving statistics; at 1 a training batch does not change them.
        policy: the Keras policy that layers compute in; None for each layer's own.
        any_channels: whether weights may have any number of channels, or only that of the built model.
        decomposable: names of the convolutions that may be whole or decomposed in a candidate.
    """

    momentum: Any
    policy: str | None = None
    any_channels: bool = True
    decomposable: frozenset[str] = frozenset()


class ElasticLayer(keras.layers.Layer):  # type: ignore[misc]
    """Computes as another layer, with weights of any number of channels.

    Args:
        source: the layer that it replaces; it need not be built.
        common: settings of the network.
        shapes: shape of every weight by attribute name, None along channels.
    """

    def __init__(self, source: Any, common: Common, shapes: Mapping[str, Axes]) -> None:
        super().__init__(name=source.name, dtype=common.policy or source.dtype_policy)
        self._any_channels = common.any_channels
        # A closure: Keras would track a layer among the attributes, with its weights and losses.
        self._behind: Callable[[], Any] = lambda: source
        self.weights_by_name = MappingProxyType({name: self._weight(name, axes) for name, axes in shapes.items()})

    @property
    def source(self) -> Any:
        """The layer that it replaces."""
        return self._behind()

    def _weight(self, name: str, axes: Axes) -> Weight:
        if not self._any_channels:
            axes = tuple(getattr(self.source, name).shape)
        variable = tf.Variable(
            tf.zeros([1 if size is None else size for size in axes]), shape=tf.TensorShape(axes), trainable=False
        )
        if name.startswith(("moving_", "adapt_")):
            return Weight(variable, trainable=False)
        prefix = "kernel" if name in FACTORS else name
        if prefix == "kernel" and hasattr(self.source, "depthwise_regularizer"):
            prefix = "depthwise"
        penalties = [getattr(self.source, f"{prefix}_{kind}", None) for kind in ("regularizer", "constraint")]
        if name in FACTORS:  # A constraint holds for the kernel that they multiply to, not for them.
            penalties[1] = None
        own = getattr(self.source, "kernel" if name in FACTORS else name, None)
        return Weight(variable, bool(self.source.trainable if own is None else own.trainable), *penalties)

    def assign(self, weights: LayerWeights) -> None:
        """Set its weights from those of a candidate, by layer and attribute name."""
        for attribute, weight in self.weights_by_name.items():
            weight.variable.assign(tf.cast(weights[self.name][attribute], tf.float32))

    def current(self) -> dict[str, dict[str, Any]]:
        """The weights as ``assign`` takes them."""
        return {self.name: {name: weight.variable.read_value() for name, weight in self.weights_by_name.items()}}

    def value(self, name: str) -> Any:
        """A weight in the precision that the layer computes with."""
        return tf.cast(self.weights_by_name[name].variable.read_value(), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The source's output shape, its channels None where they may vary."""
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


_SUFFIXES = (FIRST_SUFFIX, CORE_SUFFIX, LAST_SUFFIX)


class ElasticConv2D(ElasticLayer):
    """A convolution without groups; where a candidate may decompose it, it can compute Tucker-2's three convolutions.

    Attributes:
        factors: returns slope and shift of a batch normalization that alone reads this convolution, which are then
            applied to the kernel, given whether this is training; None where there is none, or in training, where the
            batch's own statistics are not known here.
    """

    def __init__(self, source: Any, common: Common) -> None:
        shapes = kernel_and_bias(source, (*source.kernel_size, None, None))
        self._decomposable = source.name in common.decomposable
        if self._decomposable:
            spatial = ((1, 1), source.kernel_size, (1, 1))
            shapes |= {name: (*size, None, None) for name, size in zip(FACTORS, spatial, strict=True)}
        super().__init__(source, common, shapes)
        self._decomposed = tf.Variable(False, trainable=False)
        self.factors: Callable[[bool], tuple[Any, Any] | None] = lambda training: None

    def assign(self, weights: LayerWeights) -> None:
        """Set the weights of the convolution, or of the three convolutions that replace it."""
        own: dict[str, Any] = dict(weights.get(self.name, {}))
        self._decomposed.assign(not own)
        if not own:
            for factor, suffix in zip(FACTORS, _SUFFIXES, strict=True):
                part = weights[self.name + suffix]
                own |= {factor: part["kernel"], **{name: value for name, value in part.items() if name == "bias"}}
        for attribute, weight in self.weights_by_name.items():
            # Zeros where there is no weight: that branch is not computed.
            value = own.get(attribute, tf.zeros([size or 1 for size in weight.variable.shape]))
            weight.variable.assign(tf.cast(value, tf.float32))

    def current(self) -> dict[str, dict[str, Any]]:
        """The weights as ``assign`` takes them."""
        weights = super().current()[self.name]
        factors = [weights.pop(name) for name in FACTORS if name in weights]
        if not self._decomposed.numpy():
            return {self.name: weights}
        chain = {self.name + suffix: {"kernel": kernel} for suffix, kernel in zip(_SUFFIXES, factors, strict=True)}
        chain[self.name + _SUFFIXES[-1]].update({name: value for name, value in weights.items() if name == "bias"})
        return chain

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Inputs (N, H, W, in) to (N, H', W', out)."""
        factors = self.factors(training)
        kernel = self._with_factors("kernel", factors)
        if not self._decomposable:
            return self._ended(self._convolved(inputs, kernel), factors)
        # Read before the branches: the gradient of a branch needs the weight's current shape.
        first, core, last = self.value("first"), self.value("core"), self._with_factors("last", factors)
        outputs = tf.cond(
            self._decomposed,
            lambda: _pointwise(self._convolved(_pointwise(inputs, first), core), last),
            lambda: self._convolved(inputs, kernel),
        )
        return self._ended(outputs, factors)

    def _with_factors(self, name: str, factors: tuple[Any, Any] | None) -> Any:
        """A kernel times the folded normalization's slope, in the precision that the layer computes with."""
        if factors is None:
            return self.value(name)
        return tf.cast(self.weights_by_name[name].variable.read_value() * factors[0], self.compute_dtype)

    def _ended(self, outputs: Any, factors: tuple[Any, Any] | None) -> Any:
        """Outputs of the convolution after bias and activation, or after the folded normalization's shift."""
        if factors is None:
            return self.finished(outputs)
        slope, shift = factors
        if "bias" in self.weights_by_name:
            shift += slope * self.weights_by_name["bias"].variable
        return tf.nn.bias_add(outputs, tf.cast(shift, self.compute_dtype))

    def _convolved(self, inputs: Any, kernel: Any) -> Any:
        source, strides = self.source, self.source.strides
        if source.kernel_size == (1, 1) and strides != (1, 1):
            # Equal outputs in fewer operations. Moreover oneDNN's gradient of a strided 1x1 kernel writes beyond its
            # memory at few input channels (uxlfoundation/oneDNN#6035).
            inputs, strides = _every(strides, inputs), (1, 1)
        return tf.nn.conv2d(inputs, kernel, strides, source.padding.upper(), dilations=source.dilation_rate)


def _pointwise(inputs: Any, kernel: Any) -> Any:
    return tf.nn.conv2d(inputs, kernel, 1, "VALID")


def _every(strides: tuple[int, int], inputs: Any) -> Any:
    """Inputs at every stride-th position, by average pooling of size 1: several times faster than a strided slice."""
    return tf.nn.avg_pool2d(inputs, 1, strides, "VALID")
