"""A convolution with any number of channels, whole or decomposed."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compress.graph.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX
from objectives.network.elastic_layer import FACTORS, Common, ElasticLayer, LayerWeights, kernel_and_bias

_SUFFIXES = (FIRST_SUFFIX, CORE_SUFFIX, LAST_SUFFIX)


class ElasticConv2D(ElasticLayer):
    """A convolution without groups, or, where a candidate may decompose it, the three that Tucker-2 makes of it.

    Attributes:
        factors: what the batch normalization that alone reads this convolution multiplies by and adds, if there is one:
            that is then done here, to the kernel. Takes whether this is training; returns None for the batch's own
            statistics, which are not known here.
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
        """Take over the weights of the convolution, or those of the three in its place."""
        own: dict[str, Any] = dict(weights.get(self.name, {}))
        self._decomposed.assign(not own)
        if not own:
            for factor, suffix in zip(FACTORS, _SUFFIXES, strict=True):
                part = weights[self.name + suffix]
                own |= {factor: part["kernel"], **{name: value for name, value in part.items() if name == "bias"}}
        for attribute, weight in self.weights_by_name.items():
            # What is not there is not computed with: its branch is not taken.
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
        # Read before the branches: a gradient through one of them needs the shape that a weight has now.
        first, core, last = self.value("first"), self.value("core"), self._with_factors("last", factors)
        outputs = tf.cond(
            self._decomposed,
            lambda: _pointwise(self._convolved(_pointwise(inputs, first), core), last),
            lambda: self._convolved(inputs, kernel),
        )
        return self._ended(outputs, factors)

    def _with_factors(self, name: str, factors: tuple[Any, Any] | None) -> Any:
        """A kernel that makes the output channels, in the precision that the layer computes with."""
        if factors is None:
            return self.value(name)
        return tf.cast(self.weights_by_name[name].variable.read_value() * factors[0], self.compute_dtype)

    def _ended(self, outputs: Any, factors: tuple[Any, Any] | None) -> Any:
        """What follows the convolution."""
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
    """Every so many positions: a mean of one value each, several times as fast on a CPU as a strided slice."""
    return tf.nn.avg_pool2d(inputs, 1, strides, "VALID")
