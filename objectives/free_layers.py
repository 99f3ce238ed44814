"""Layers whose weights may have any number of channels, so that one traced network serves every candidate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from objectives.batch_statistics import apply_factors, normalize_batch

Axes = tuple[int | None, ...]


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
        share: variable with the share that each training batch has in moving statistics; 0 leaves them alone.
        policy: the Keras policy that they compute in; None leaves them their own.
        any_channels: whether weights of any number of channels can be assigned, or only those of the built model.
    """

    share: Any
    policy: str | None = None
    any_channels: bool = True


class FreeLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer in the place of another, with weights of free shapes.

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
        prefix = "depthwise" if hasattr(self.source, "depthwise_regularizer") and name == "kernel" else name
        found = (getattr(self.source, f"{prefix}_{kind}", None) for kind in ("regularizer", "constraint"))
        return Weight(variable, bool(self.source.trainable), *found)

    def value(self, name: str) -> Any:
        """A weight in the precision that the layer computes with."""
        return tf.cast(self.weights_by_name[name].variable, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The source's, with any number of channels where that is free."""
        known = (*input_shape[:-1], input_shape[-1] or 1)
        shape = self.source.compute_output_shape(known)
        return (*shape[:-1], None) if self._any_channels else tuple(shape)

    def finished(self, outputs: Any) -> Any:
        """Outputs with the bias, through the activation."""
        if "bias" in self.weights_by_name:
            outputs = tf.nn.bias_add(outputs, self.value("bias"))
        return self.source.activation(outputs)


class FreeConv2D(FreeLayer):
    """A convolution without groups.

    Attributes:
        factors: what the batch normalization that alone reads this convolution multiplies by and adds, if there is one:
            that is then done here, to the kernel. Takes whether this is training; returns None for the batch's own
            statistics, which are not known here.
    """

    def __init__(self, source: Any, common: Common) -> None:
        super().__init__(source, common, _shapes(source, (*source.kernel_size, None, None)))
        self.factors: Callable[[bool], tuple[Any, Any] | None] = lambda training: None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Inputs (N, H, W, in) to (N, H', W', out)."""
        factors = self.factors(training)
        if factors is None:
            return self.finished(self._convolved(inputs, self.value("kernel")))
        slope, shift = factors
        if "bias" in self.weights_by_name:
            shift += slope * self.weights_by_name["bias"].variable
        kernel = self.weights_by_name["kernel"].variable * slope
        outputs = self._convolved(inputs, tf.cast(kernel, self.compute_dtype))
        return tf.nn.bias_add(outputs, tf.cast(shift, self.compute_dtype))

    def _convolved(self, inputs: Any, kernel: Any) -> Any:
        source, strides = self.source, self.source.strides
        if source.kernel_size == (1, 1) and strides != (1, 1):
            # The same in fewer operations. Moreover oneDNN's gradient of a strided 1x1 kernel writes beyond its memory
            # at few input channels (uxlfoundation/oneDNN#6035).
            inputs, strides = inputs[:, :: strides[0], :: strides[1]], (1, 1)
        return tf.nn.conv2d(inputs, kernel, strides, source.padding.upper(), dilations=source.dilation_rate)


class FreeDepthwiseConv2D(FreeLayer):
    """A depthwise convolution."""

    def __init__(self, source: Any, common: Common) -> None:
        kernel = (*source.kernel_size, None, source.depth_multiplier)
        super().__init__(source, common, _shapes(source, kernel))

    def call(self, inputs: Any) -> Any:
        """Inputs (N, H, W, C) to (N, H', W', C x depth multiplier)."""
        source = self.source
        outputs = tf.nn.depthwise_conv2d(
            inputs,
            self.value("kernel"),
            (1, *source.strides, 1),
            source.padding.upper(),
            dilations=source.dilation_rate,
        )
        return self.finished(outputs)


class FreeDense(FreeLayer):
    """A dense layer."""

    def __init__(self, source: Any, common: Common) -> None:
        super().__init__(source, common, _shapes(source, (None, None)))

    def call(self, inputs: Any) -> Any:
        """Inputs (N, ..., in) to (N, ..., out)."""
        return self.finished(tf.tensordot(inputs, self.value("kernel"), 1))


class FreeBatchNormalization(FreeLayer):
    """Batch normalization over the last axis."""

    def __init__(self, source: Any, common: Common) -> None:
        names = ("gamma",) * source.scale + ("beta",) * source.center + ("moving_mean", "moving_variance")
        super().__init__(source, common, {name: (None,) for name in names})
        self._share = common.share
        self.folded = False

    def fold_into(self, convolution: FreeConv2D) -> None:
        """Let the convolution that is read by this layer alone do its work in inference."""
        # A method, not the layer: Keras takes no layer into one that is built.
        convolution.factors, self.folded = self.factors, True

    def factors(self, training: bool) -> tuple[Any, Any] | None:
        """What is multiplied by and added, (C,) each; None where the batch's own statistics count."""
        if training and self.source.trainable:
            return None
        mean, variance = (self.weights_by_name[f"moving_{name}"].variable for name in ("mean", "variance"))
        slope = self._parameter("gamma", 1.0) * tf.math.rsqrt(variance + self.source.epsilon)
        return slope, self._parameter("beta", 0.0) - mean * slope

    def call(self, inputs: Any, training: bool = False, mask: None = None) -> Any:
        """Inputs (N, ..., C) to the same shape."""
        factors = self.factors(training)
        if factors is not None:
            return inputs if self.folded else self._applied(inputs, *factors)
        scale, offset = self._parameter("gamma", 1.0), self._parameter("beta", 0.0)
        values = tf.cast(inputs, tf.float32)
        outputs, mean, variance = normalize_batch(values, scale, offset, self.source.epsilon)
        for name, batch in (("mean", mean), ("variance", variance)):
            moving = self.weights_by_name[f"moving_{name}"].variable
            moving.assign((1 - self._share) * moving + self._share * batch)
        return tf.cast(outputs, inputs.dtype)

    def _applied(self, inputs: Any, slope: Any, shift: Any) -> Any:
        return tf.cast(apply_factors(tf.cast(inputs, tf.float32), slope, shift), inputs.dtype)

    def _parameter(self, name: str, absent: float) -> Any:
        if name in self.weights_by_name:
            return self.weights_by_name[name].variable.read_value()
        return tf.fill(tf.shape(self.weights_by_name["moving_mean"].variable), absent)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The input's."""
        return tuple(input_shape)


def _shapes(source: Any, kernel: Axes) -> dict[str, Axes]:
    return {"kernel": kernel, "bias": (None,)} if source.use_bias else {"kernel": kernel}


def takes_any_channels(layer: Any) -> bool:
    """Whether there is a free stand-in for the layer: for its type, with all of its options."""
    options = _OPTIONS.get(type(layer))
    plain = getattr(layer, "data_format", None) in (None, "channels_last") and layer.activity_regularizer is None
    quantized = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None) is not None
    return options is not None and plain and not quantized and options(layer)


def free_layer(layer: Any, common: Common) -> FreeLayer:
    """The stand-in of a layer that takes any channels."""
    return _STAND_INS[type(layer)](layer, common)


def _normalizes_last_axis(layer: Any) -> bool:
    rank = layer.input_spec.ndim if layer.built else None
    plain = not layer.synchronized and not getattr(layer, "renorm", False)
    return plain and (layer.axis == -1 or (rank is not None and layer.axis == rank - 1))


_STAND_INS: Mapping[type, Callable[[Any, Common], FreeLayer]] = MappingProxyType(
    {
        keras.layers.Conv2D: FreeConv2D,
        keras.layers.DepthwiseConv2D: FreeDepthwiseConv2D,
        keras.layers.Dense: FreeDense,
        keras.layers.BatchNormalization: FreeBatchNormalization,
    }
)

_OPTIONS: Mapping[type, Callable[[Any], bool]] = MappingProxyType(
    {
        keras.layers.Conv2D: lambda layer: layer.groups == 1,
        keras.layers.DepthwiseConv2D: lambda layer: layer.strides[0] == layer.strides[1],
        keras.layers.Dense: lambda layer: True,
        keras.layers.BatchNormalization: _normalizes_last_axis,
    }
)
"""Layer types that have a stand-in, and whether it does what a layer's options ask."""
